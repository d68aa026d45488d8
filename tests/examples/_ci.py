"""A small runner of hooks, steps and jobs: what CI does with the files of `examples/ci`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
ACTION = CI / "github" / "action.yml"

SHOP = """\
guardkit 1
policy shop
  title   "Shop"
  owner   "shop@shop.example"
  version "1"

check card = entities {
  kinds [card]
}

check key = secrets { }

rule no_keys {
  tier safety
  on   output, tool_call
  when key
  then block "I can't show that."
}

rule mask_cards {
  tier safety
  on   output
  when card
  then rewrite matches as "[{label}]"
}

test "a key never leaves" {
  given  key = yes
  output "Here it is."
  expect block by no_keys
}

test "a card is masked" {
  output "It is 4111 1111 1111 1111."
  expect rewrite by mask_cards
}
"""
WEAKER = SHOP.replace("output, tool_call", "output")
STRONGER = SHOP.replace("on   output\n", "on   input, output\n")
BROKEN = SHOP.replace("when key", "when kye")
FAILING = SHOP.replace("expect block by no_keys", "expect pass")
UGLY = SHOP.replace('  owner   "', '  owner "')
WARNED = SHOP.replace('  owner   "shop@shop.example"\n', "")
UNTESTED = SHOP.partition("\ntest ")[0]
MODULE = "guardkit 1\nmodule cards\n\ncheck card = entities {\n  kinds [card]\n}\n"


def yaml_of(path: Path) -> Any:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def environment(**more: str) -> dict[str, str]:
    """One in which `guardkit` is the command that this interpreter has."""
    dropped = ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "GUARDKIT_TRACEBACK", "GUARDKIT_REDIS")
    kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith("GIT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), **more}


def run(
    command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command),
        cwd=folder,
        env=dict(env or environment()),
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


class Repository:
    """A git repository of policies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
        done = run(["git", *who, *words], self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, **files: str | None) -> str:
        """Write policies by name, None for one that goes; the commit."""
        for name, text in files.items():
            path = self.folder / "policies" / f"{name}.guard"
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")


@dataclass
class Ran:
    """What came of a run of the action."""

    codes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def failed(self) -> bool:
        return any(self.codes.values())

    @property
    def comment(self) -> str:
        path = self.outputs["comment"]
        return Path(path).read_text(encoding="utf-8") if path else ""


def run_action(folder: Path, temp: Path, *skipped: str, **given: str) -> Ran:
    """Run the steps of the action as the runner does, but for those that are skipped by name."""
    action = yaml_of(ACTION)
    inputs = {
        name: "" if "${{" in one["default"] else one["default"]
        for name, one in action["inputs"].items()
    }
    assert set(given) <= {name.replace("-", "_") for name in inputs}
    inputs |= {name: given.get(name.replace("-", "_"), value) for name, value in inputs.items()}
    steps: dict[str, dict[str, str]] = {}
    ran = Ran()
    temp.mkdir(exist_ok=True)
    files = {name: temp / name for name in ("OUTPUT", "STEP_SUMMARY", "PATH")}
    path = environment()["PATH"]
    for number, step in enumerate(action["runs"]["steps"]):
        if step["name"] in skipped:
            continue
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script is an injection"
        for file in files.values():
            file.touch()
        files["OUTPUT"].write_text("")
        env = environment(
            PATH=path,
            RUNNER_TEMP=str(temp),
            GITHUB_ACTION_PATH=str(ACTION.parent),
            GITHUB_WORKSPACE=str(folder),
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
            **{k: resolved(v, inputs, steps) for k, v in step.get("env", {}).items()},
        )
        script = temp / f"{number}.sh"
        script.write_text(step["run"])
        done = run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], folder, env)
        ran.codes[step["name"]] = done.returncode
        ran.said[step["name"]] = done.stdout + done.stderr
        if "id" in step:
            lines = files["OUTPUT"].read_text().splitlines()
            steps[step["id"]] = dict(line.split("=", 1) for line in lines)
        path = os.pathsep.join([*files["PATH"].read_text().splitlines()[::-1], path])
        if done.returncode:
            break
    ran.outputs = {
        name: resolved(one["value"], inputs, steps) for name, one in action["outputs"].items()
    }
    ran.summary = files["STEP_SUMMARY"].read_text(encoding="utf-8")
    return ran


def resolved(text: str, inputs: Mapping[str, str], steps: Mapping[str, Mapping[str, str]]) -> str:
    """A text with its expressions replaced; only what the action uses is understood."""

    def value(found: re.Match[str]) -> str:
        kind, *names = found[1].split(".")
        if kind == "inputs":
            return inputs[names[0]]
        assert kind == "steps", found[0]
        assert names[1] == "outputs", found[0]
        return steps.get(names[0], {}).get(names[2], "")

    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", value, text)


def run_job(folder: Path, script: Sequence[str], **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script of GitLab's: all of its parts in one shell, which ends at the first failure."""
    return run(["bash", "-c", "set -eo pipefail\n" + "\n".join(script)], folder, environment(**env))
