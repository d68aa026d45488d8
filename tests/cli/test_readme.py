"""What the README shows is what the command line prints, and it names the verbs there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardkit.cli._verbs import ONE_LINERS

from ._run import ROOT, guardkit

README = (ROOT / "README.md").read_text(encoding="utf-8")
(POLICY,) = re.findall(r"```guard\n(.*?)```", README, re.DOTALL)
CLEAN, WRONG, TESTED = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.guard").write_text(POLICY, encoding="utf-8")


def test_the_policy_is_clean_formatted_and_passes() -> None:
    assert guardkit("check", "--strict", "shop.guard").err == CLEAN
    assert guardkit("fmt", "--check", "shop.guard").code == 0
    assert guardkit("test", "shop.guard").err == TESTED


def test_the_mistake_looks_as_shown() -> None:
    Path("shop.guard").write_text(POLICY.replace("when card", "when crad"), encoding="utf-8")
    done = guardkit("check", "shop.guard")
    assert (done.code, done.err) == (2, WRONG)


def test_every_verb_is_listed_and_no_other() -> None:
    rows = re.findall(r"^\| `guardkit (\w+)", README, re.MULTILINE)
    assert sorted(rows) == sorted(ONE_LINERS)
    assert set(re.findall(r"guardkit (\w+) [a-zA-Z.…]+`", README)) <= set(ONE_LINERS)


def test_every_option_that_is_named_exists() -> None:
    for verb, row in re.findall(r"^\| `guardkit (\w+)(.*)$", README, re.MULTILINE):
        said = guardkit(verb, "--help").out
        for option in re.findall(r"`(-[-\w]+)", row):
            assert option in said, (verb, option)


def test_the_install_lines_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m venv" in makefile
    assert "-c constraints.txt -e '.[test,lint]'" in makefile


def test_every_file_that_is_named_exists() -> None:
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path
