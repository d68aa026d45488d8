"""Options that say something of a model belong to a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from ._run import SMALL, guardkit


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.guard").write_text(SMALL, encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "belongs"),
    [
        (("--key-env", "HOME"), "--key-env belongs to --base-url"),
        (("--model-name", "m"), "--model-name belongs to --base-url"),
        (("--rate", "2"), "--rate belongs to --model or --base-url"),
        (("--timeout", "2"), "--timeout belongs to --model or --base-url"),
    ],
)
@pytest.mark.parametrize("verb", ["probe", "attribute"])
def test_an_option_without_its_model_is_refused(
    verb: str, given: tuple[str, str], belongs: str
) -> None:
    how = ("--limit", "1") if verb == "probe" else ("--prompt", "hello")
    done = guardkit(verb, "small.guard", *how, *given)
    assert done.code == 2
    assert belongs in done.err
    assert done.out == ""


def test_with_its_model_it_counts() -> None:
    Path("says_for_this_test.py").write_text(
        "def no(prompt: str) -> str:\n    return 'Good day.'\n"
    )
    model = ("--model", "says_for_this_test:no", "--rate", "50", "--timeout", "2")
    assert guardkit("attribute", "small.guard", "--prompt", "a hat", *model).code == 0
