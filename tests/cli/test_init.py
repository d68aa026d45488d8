"""`guardkit init`: every template works unedited, and its program shows what its policy does."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from guardkit.cli._init_apps import APPS

from ._run import ROOT, Done, guardkit, plain

SHOWN = {
    "starter": [
        "reply: It is [CARD].",
        "reply: I can't act on instructions that change how I work.",
    ],
    "chat": [
        "reply: Yes, within 30 days.",
        "reply: It is [CARD].",
        "reply: I can't act on instructions that change how I work.",
    ],
    "rag": [
        "model reads: Hotels up to 140 euros a night are paid back within 30 days.",
        "model reads: [A document was left out here, because it gives orders to its reader's"
        " assistant.]",
        "reply:       Hotels up to 140 euros a night are paid back within 30 days.",
    ],
    "agent": [
        "mail.read: pass",
        "  the model reads: [This text was left out, because it gives orders to its reader's"
        " assistant. Tell the user so.]",
        "mail.send: block break_exfiltration hold_after_doubt hold_external_mail",
    ],
    "code": [
        "pytest -q: pass",
        "rm -rf / --no-preserve-root: block no_dangerous_commands hold_destructive_commands",
    ],
    "moderation": [
        "     published: The second one is better than the first.",
        "     published: Write to me: [EMAIL]",
        "     not published; its author reads: This is not published. Please say it without"
        " attacking people.",
    ],
    "pii": [
        "model reads: I am [EMAIL_1], please call [PHONE_1].",
        "user reads:  Noted: I am ann@mail.example, please call +49 30 901820.",
        "user reads:  Please leave card numbers out. Nothing was sent.",
    ],
}
SAMPLED = {"rag": "rewrite", "moderation": "rewrite", "pii": "rewrite"}
"""What becomes of the text that `init` proposes to scan; a block elsewhere."""


AT_RELEASE = ("code", "moderation")
"""Templates whose long tests run at release; the others are those that newcomers are sent to."""


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.full) if name in AT_RELEASE else name
        for name in sorted(APPS)
    ]
)
def template(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def written(tmp_path: Path, template: str) -> Done:
    done = guardkit("init", tmp_path / "new", "--template", template)
    assert (done.code, done.out) == (0, ""), done.err
    return done


def test_there_is_a_template_of_every_policy_that_ships() -> None:
    ship = {path.stem for path in (ROOT / "policies").glob("*/*.guard")}
    assert set(APPS) == ship == set(SHOWN)
    said = " ".join(guardkit("init", "--help").out.split())
    assert ", ".join(sorted(APPS)) in said


def test_a_template_passes_unedited(tmp_path: Path, written: Done, template: str) -> None:
    policies = tmp_path / "new" / "policies"
    checked = guardkit("check", "--strict", policies)
    assert checked.code == 0, checked.err
    assert guardkit("fmt", "--check", policies).code == 0
    tested = guardkit("test", policies)
    assert tested.code == 0, tested.err
    assert re.search(r"^\d+ passed$", tested.err, re.MULTILINE)


def test_the_program_runs_unedited(tmp_path: Path, written: Done, template: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "new/app.py"],
        cwd=tmp_path,
        env=plain(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    at = iter(ran.stdout.splitlines())
    for wanted in SHOWN[template]:
        assert wanted in at, f"`{wanted}` is missing, or comes too early"


def test_what_is_proposed_next_does_something(tmp_path: Path, written: Done, template: str) -> None:
    proposed = [shlex.split(line) for line in re.findall(r"^  (\w+ .+)$", written.err, re.M)]
    assert [words[:2] for words in proposed[:3]] == [
        ["guardkit", "check"],
        ["guardkit", "test"],
        ["guardkit", "scan"],
    ]
    assert proposed[3] == ["python", (tmp_path / "new" / "app.py").as_posix()]
    done = guardkit(*proposed[2][1:])
    action = SAMPLED.get(template, "block")
    assert done.out.startswith(action), done.out
    assert done.code == (1 if action == "block" else 0)


def test_the_program_says_what_to_change(tmp_path: Path, written: Done, template: str) -> None:
    text = (tmp_path / "new" / "app.py").read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text))
    assert said is not None
    policy = (tmp_path / "new" / "policies" / f"{template}.guard").read_text(encoding="utf-8")
    changes = [line for line in said.splitlines() if re.match(r"\d\. ", line)]
    assert len(changes) >= 4
    named = [name for line in changes for name in re.findall(r"`(\w+)(?: for)?`", line)]
    assert named
    for name in named:
        here = re.search(rf"\b{name}\b", policy) or re.search(rf"\b(?:def {name}|{name}=)", text)
        assert here, f"`{name}` stands neither in the policy nor in the program"
    for path in re.findall(r"policies/[\w./]+[\w]", "\n".join(changes)):
        assert (tmp_path / "new" / path).exists(), path


def test_the_program_has_the_style_of_the_house(tmp_path: Path, written: Done) -> None:
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "100"]
        ran = subprocess.run(
            [*ruff, "--quiet", str(tmp_path / "new" / "app.py")],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if "No module named ruff" in ran.stderr:
            pytest.skip("ruff is not on this machine")
        assert ran.returncode == 0, ran.stdout


# --- a program that was there before


def test_a_program_of_yours_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "app.py"
    mine.write_text("print('mine')\n")
    done = guardkit("init", tmp_path, "--template", "pii")
    assert done.code == 0
    assert "app.py, which is yours" in done.err
    assert "python " not in done.err
    assert mine.read_text() == "print('mine')\n"
    assert (tmp_path / "policies" / "pii.guard").is_file()
    again = guardkit("init", tmp_path, "--template", "pii", "--force")
    assert again.code == 0
    assert "import guardkit" in mine.read_text()
