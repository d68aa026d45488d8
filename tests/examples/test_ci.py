"""Hooks, the action and the templates of `examples/ci` do what they promise, in real repositories.

`tests/examples/_ci.py` stands for what runs them: it does with the files what pre-commit, a runner
of GitHub and one of GitLab do.
"""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

import guardkit
from guardkit.cli._init import _WORKFLOW

from ._ci import (
    ACTION,
    BROKEN,
    CI,
    FAILING,
    MODULE,
    ROOT,
    SHOP,
    STRONGER,
    UGLY,
    UNTESTED,
    WARNED,
    WEAKER,
    Ran,
    Repository,
    environment,
    run,
    run_action,
    run_job,
    yaml_of,
)

pytest.importorskip("yaml")
HOOKS = {hook["id"]: hook for hook in yaml_of(ROOT / ".pre-commit-hooks.yaml")}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


# --- hooks


def hooked(id: str, folder: Path, **files: str) -> tuple[int, str, bool]:
    """What a hook says of files: its code, its words, and whether it changed one."""
    paths = [folder / f"{name}.guard" for name in files]
    for path in paths:
        path.write_text(files[path.stem], encoding="utf-8")
    hook = HOOKS[id]
    assert all(re.search(hook["files"], path.name) for path in paths)
    words = [*shlex.split(hook["entry"]), *hook.get("args", []), *(path.name for path in paths)]
    done = run(words, folder)
    changed = any(path.read_text(encoding="utf-8") != files[path.stem] for path in paths)
    return done.returncode, done.stdout + done.stderr, changed


@pytest.mark.parametrize(
    ("id", "files", "fails"),
    [
        ("guardkit-check", {"a": SHOP, "b": MODULE}, False),
        ("guardkit-check", {"a": SHOP, "b": BROKEN}, True),
        ("guardkit-check", {"a": WARNED}, True),
        ("guardkit-fmt", {"a": SHOP, "b": MODULE}, False),
        ("guardkit-fmt", {"a": SHOP, "b": UGLY}, True),
        ("guardkit-fmt", {"a": "guardkit 1\npolicy {"}, True),
        ("guardkit-test", {"a": SHOP}, False),
        ("guardkit-test", {"a": MODULE}, False),
        ("guardkit-test", {"a": SHOP, "b": FAILING}, True),
        ("guardkit-test", {"a": BROKEN}, True),
    ],
)
def test_a_hook_stops_what_it_should(
    tmp_path: Path, id: str, files: dict[str, str], fails: bool
) -> None:
    code, said, changed = hooked(id, tmp_path, **files)
    # pre-commit fails a hook that changed a file, whatever it ended with.
    assert (code != 0 or changed) == fails, said
    assert "internal error" not in said


def test_a_hook_mends_the_style(tmp_path: Path) -> None:
    assert hooked("guardkit-fmt", tmp_path, a=UGLY)[2]
    assert (tmp_path / "a.guard").read_text(encoding="utf-8") == SHOP


def test_hooks_are_what_pre_commit_reads() -> None:
    assert list(HOOKS) == ["guardkit-check", "guardkit-fmt", "guardkit-test"]
    known = {"id", "name", "description", "entry", "language", "files", "require_serial"}
    for hook in HOOKS.values():
        assert set(hook) <= known
        assert hook["language"] == "python"
        assert re.search(hook["files"], "policies/chat.guard")
        assert not re.search(hook["files"], "policies/chat.guard.bak")


# --- the action


def of_steps(ran: Ran) -> dict[str, str]:
    return dict(re.findall(r"^\| (\w+) \| (.+) \|$", ran.summary, re.MULTILINE))


def acted(repository: Repository, base: str = "", **given: str) -> Ran:
    temp = repository.folder.parent / "temp"
    return run_action(repository.folder, temp, "Install guardkit", base=base, **given)


def test_the_action_passes_what_is_fine(repository: Repository) -> None:
    base = repository.commit(shop=SHOP, cards=MODULE)
    ran = acted(repository, base)
    assert not ran.failed, ran.said
    assert of_steps(ran) == dict.fromkeys(("check", "format", "test", "compare"), "clean")
    assert (ran.outputs["comment"], ran.outputs["weaker"]) == ("", "false")
    suites = ET.parse(ran.outputs["junit"]).getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("2", "0")


@pytest.mark.parametrize(
    ("text", "step", "says"),
    [
        (BROKEN, "check", "a policy is wrong"),
        (WARNED, "check", "found something"),
        (UGLY, "format", "found something"),
        (FAILING, "test", "found something"),
        (UNTESTED, "test", "there are no tests"),
    ],
)
def test_the_action_fails_what_is_not(
    repository: Repository, text: str, step: str, says: str
) -> None:
    repository.commit(shop=text)
    ran = acted(repository)
    # Every step ran, and the last one says no.
    assert [name for name, code in ran.codes.items() if code] == ["Result"]
    assert of_steps(ran)[step] == says


def test_findings_stand_beside_their_lines_and_in_code_scanning(repository: Repository) -> None:
    repository.commit(shop=BROKEN)
    ran = acted(repository)
    assert "::error file=policies/shop.guard,line=16," in ran.said["Check"]
    schema = ROOT / "tests" / "diagnostics" / "sarif-2.1.0.schema.json"
    log = json.loads(Path(ran.outputs["sarif"]).read_text(encoding="utf-8"))
    Draft4Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(log)
    (result,) = log["runs"][0]["results"]
    assert result["ruleId"] == "GK201"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "policies/shop.guard"


def test_the_action_tells_what_a_change_does(repository: Repository) -> None:
    base = repository.commit(shop=SHOP, gone=SHOP, same=SHOP)
    repository.commit(shop=WEAKER, gone=None, fresh=SHOP)
    ran = acted(repository, base)
    assert not ran.failed, ran.said
    assert "::warning::A verdict gets weaker" in ran.said["Result"]
    assert ran.outputs["weaker"] == "true"
    comment = ran.comment
    assert comment.startswith("<!-- guardkit -->\n## `policies/fresh.guard`\n\nnew\n")
    assert "| 1 | **weaker** | tool_call | block | pass | `no_keys` |" in comment
    assert "## `policies/gone.guard`\n\n**removed: " in comment
    assert "same.guard" not in comment
    assert comment in ran.summary
    assert repository.git("worktree", "list").count("\n") == 0
    assert repository.git("status", "--porcelain") == ""
    assert acted(repository, base, on_weaker="fail").failed


def test_what_is_stronger_is_no_warning(repository: Repository) -> None:
    base = repository.commit(shop=SHOP)
    repository.commit(shop=STRONGER)
    ran = acted(repository, base)
    assert (ran.failed, ran.outputs["weaker"]) == (False, "false")
    assert "| 1 | stronger | input | pass | rewrite | `mask_cards` |" in ran.comment
    assert "::warning::" not in ran.said["Result"]


def test_a_change_of_a_module_shows_in_the_policy_that_imports_it(repository: Repository) -> None:
    module = (
        MODULE + '\nrule mask {\n  tier safety\n  on output\n  when card\n  then block "No."\n}\n'
    )
    policy = 'guardkit 1\npolicy p\nimport "./cards.guard" as cards\napply cards.mask\n'
    base = repository.commit(cards=module, p=policy)
    repository.commit(cards=module.replace('then block "No."', "then flag"))
    ran = acted(repository, base)
    assert "## `policies/p.guard`" in ran.comment, ran.said
    assert "| **weaker** | output | block | flag |" in ran.comment


@pytest.mark.parametrize("base", ["0" * 40, ""])
def test_without_a_commit_before_nothing_is_compared(repository: Repository, base: str) -> None:
    repository.commit(shop=SHOP)
    ran = acted(repository, base)
    assert (ran.failed, ran.outputs["comment"]) == (False, "")


@pytest.mark.parametrize("base", ["f" * 40, "nowhere", "--help"])
def test_a_commit_that_is_not_there_is_no_silence(repository: Repository, base: str) -> None:
    repository.commit(shop=SHOP)
    ran = acted(repository, base)
    assert ran.failed
    assert of_steps(ran)["compare"] == "a policy is wrong"
    assert "check out with its whole history" in ran.said["Compare"]


def test_a_policy_that_does_not_compile_is_not_compared_in_silence(repository: Repository) -> None:
    base = repository.commit(shop=SHOP)
    repository.commit(shop=BROKEN)
    ran = acted(repository, base)
    assert of_steps(ran)["compare"] == "a policy is wrong"
    assert "**not compared: one of the two does not compile**" in ran.comment


def test_several_names_and_odd_ones(repository: Repository) -> None:
    base = repository.commit(**{"a b": SHOP, "`x` @team | <b>": SHOP, "-q": SHOP})
    odd = {"a b": WEAKER, "`x` @team | <b>": WEAKER, "-q": WEAKER, "$(touch owned)": SHOP}
    repository.commit(**odd)
    ran = acted(repository, base, policies="\n  policies/-q.guard \n\npolicies/a b.guard\npolicies")
    assert not ran.failed, ran.said
    assert re.findall("^## (.*)$", ran.comment, re.MULTILINE) == [
        "`policies/??touch owned?.guard`",
        "`policies/-q.guard`",
        "`policies/?x? ?team ? ?b?.guard`",
        "`policies/a b.guard`",
    ]
    assert not list(repository.folder.rglob("owned"))
    assert acted(repository, base, policies="policies/none.guard").failed
    assert acted(repository, base, policies=" \n").failed


def test_a_policy_gives_the_runner_no_orders(repository: Repository) -> None:
    order = "::set-output name=x::y"
    test = f'\ntest "{order} {"w" * 60} {order}" {{\n  output "Hi."\n  expect block\n}}\n'
    base = repository.commit(shop=SHOP)
    repository.commit(shop=SHOP + test)
    ran = acted(repository, base)
    for step in ("Format", "Test", "Compare"):
        lines = ran.said[step].splitlines()
        token = next(line for line in lines if line.startswith("::stop-commands::"))
        assert f"::{token.removeprefix('::stop-commands::')}::" in lines
        assert len(token) > 40
    assert "::set-output" not in ran.said["Check"]


def test_a_comment_of_many_policies_is_never_too_long(repository: Repository) -> None:
    rules = "".join(
        f"rule rule_number_{n}_of_many {{\n  tier safety\n  on output, input\n"
        f'  when card\n  then block "No {n}."\n}}\n'
        for n in range(120)
    )
    files = {f"p{n}": SHOP + rules for n in range(9)}
    base = repository.commit(**files)
    repository.commit(
        **{name: text.replace("output, input", "output") for name, text in files.items()}
    )
    diff = CI / "github" / "diff.sh"
    file = repository.folder.parent / "page.md"
    done = run(["bash", str(diff), base, str(file), "policies"], repository.folder)
    assert done.returncode == 1
    page = file.read_text(encoding="utf-8")
    assert 30_000 < len(page.encode()) < 60_000
    assert re.search(r"^[1-8] more are not shown here\.$", page, re.MULTILINE)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_action_installs_the_guardkit_beside_it(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    names = [step["name"] for step in yaml_of(ACTION)["runs"]["steps"]]
    ran = run_action(tmp_path, temp, *names[1:], extras="")
    assert not ran.failed, ran.said
    program = (temp / "PATH").read_text().strip() + "/guardkit"
    done = run([program, "--version"], tmp_path, {**environment(), "PYTHONPATH": ""})
    assert done.stdout == f"guardkit {guardkit.__version__}\n"


# --- the workflow


def test_the_workflow_uses_the_action_as_it_is() -> None:
    workflow, action = yaml_of(CI / "github" / "workflow.yml"), yaml_of(ACTION)
    job = workflow["jobs"]["policies"]
    (used,) = [step for step in job["steps"] if "examples/ci/github" in step.get("uses", "")]
    assert used["uses"] == "OWNER/guardkit/examples/ci/github@REF"
    assert set(used["with"]) <= set(action["inputs"])
    text = (CI / "github" / "workflow.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"steps\.guardkit\.outputs\.(\w+)", text)) <= set(action["outputs"])
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow[True]  # YAML reads `on` as a yes
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")
        if "run" in step:
            assert run(["bash", "-n", "-c", step["run"]], ROOT).returncode == 0


def test_init_runs_what_the_action_runs() -> None:
    written: Any = yaml_of_text(_WORKFLOW.format(version="9.9", folder="policies"))
    whole = yaml_of(CI / "github" / "workflow.yml")["jobs"]["policies"]["steps"]
    small = written["jobs"]["policies"]["steps"]
    shared = {step["uses"] for step in small if "uses" in step}
    assert shared == {step["uses"] for step in whole[:2]}
    script = "\n".join(step["run"] for step in yaml_of(ACTION)["runs"]["steps"])
    runs = [step["run"] for step in small if "run" in step]
    assert runs[0] == 'python -m pip install "guardkit[cpu]==9.9"'
    assert len(runs) == 4
    for command in runs[1:]:
        verb = command.removesuffix(" policies").replace("guardkit-tests.xml", '"$junit"')
        assert f'{verb} -- "${{policies[@]}}"' in script


def yaml_of_text(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


# --- GitLab


def job() -> dict[str, Any]:
    found: dict[str, Any] = yaml_of(CI / "gitlab.yml")["guardkit"]
    return found


def judged(repository: Repository, **env: str) -> tuple[int, str]:
    """The script without its installation, which is the first three lines."""
    script = job()["script"]
    assert "pip install" in script[1]
    done = run_job(repository.folder, script[3:], GUARDKIT_POLICIES="policies", **env)
    return done.returncode, done.stdout + done.stderr


def test_the_job_names_what_it_writes(repository: Repository) -> None:
    repository.commit(shop=SHOP)
    code, said = judged(repository)
    assert code == 0, said
    artifacts = job()["artifacts"]
    for name in (*artifacts["paths"], *artifacts["reports"].values()):
        assert (repository.folder / name).is_file(), name
    assert json.loads((repository.folder / "guardkit-quality.json").read_text()) == []
    assert yaml_of(CI / "gitlab.yml")["variables"]["GUARDKIT"] == (
        f"guardkit[cpu]=={guardkit.__version__}"
    )


@pytest.mark.parametrize("text", [BROKEN, WARNED, UGLY, FAILING, UNTESTED])
def test_the_job_fails_what_is_wrong_and_writes_all_reports(
    repository: Repository, text: str
) -> None:
    repository.commit(shop=text)
    code, said = judged(repository)
    assert code == 1, said
    issues = json.loads((repository.folder / "guardkit-quality.json").read_text())
    assert bool(issues) == (text not in (UGLY, UNTESTED)), issues
    for issue in issues:
        assert issue["location"]["path"] == "policies/shop.guard"
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
    assert ET.parse(repository.folder / "guardkit-tests.xml").getroot().tag == "testsuites"


def test_the_job_compares_with_the_commit_before(repository: Repository) -> None:
    base = repository.commit(shop=SHOP, gone=SHOP, same=SHOP)
    repository.commit(shop=WEAKER, gone=None)
    code, said = judged(repository, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert code == 0, said
    page = (repository.folder / "guardkit-diff.md").read_text(encoding="utf-8")
    assert page.startswith("removed: policies/gone.guard\n### `shop 1` → `shop 1`\n")
    assert "**weaker** | tool_call | block | pass" in page
    assert page.count("###") == 1
    repository.commit(shop=BROKEN)
    assert judged(repository, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)[0] == 1


# --- the README


def test_the_readme_names_what_there_is() -> None:
    text = (CI / "README.md").read_text(encoding="utf-8")
    action = yaml_of(ACTION)
    rows = set(re.findall(r"^\| `([\w./-]+)` \|", text, re.MULTILINE))
    files = {row for row in rows if "." in row}
    assert all((CI / name).is_file() for name in files)
    assert rows - files == set(action["inputs"]) | set(action["outputs"])
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        assert yaml_of_text(block)
    (config,) = re.findall(r"```yaml\n(repos:.*?)```", text, re.DOTALL)
    assert {hook["id"] for hook in yaml_of_text(config)["repos"][0]["hooks"]} == set(HOOKS)
