"""Grounded: which sentences are statements, and how many of them the source supports."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from guardkit.checks.live import _grounded
from guardkit.checks.live._grounded import MOST_STATEMENTS, Grounded, statements

from ..models import _made_static as static
from ._around import Here, Read

SOURCE = "Alice lives in Paris. Bob went to London on Monday. The cat and the dog read and write."


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grounded:
    static.injection_dir(tmp_path / "static")
    monkeypatch.setattr("guardkit.models._store.__file__", str(tmp_path / "_store.py"))
    return _grounded.bind({"in": "retrieved"}, Here())


def score(live: Grounded, reply: str, *sources: str) -> object:
    others = {"retrieved": sources} if sources else {}
    return live.read(Read(reply, others=others)).value


def test_the_score_is_the_share_of_supported_statements(live: Grounded) -> None:
    true = "Alice lives in Paris."
    false = "The secret password is bomb attack hate kill."
    assert score(live, true, SOURCE) == 1.0
    assert score(live, false, SOURCE) == 0.0
    assert score(live, f"{true} {false}", SOURCE) == 0.5
    assert score(live, f"{true} {false}", SOURCE, false) == 1.0


def test_without_a_source_nothing_can_be_said(live: Grounded) -> None:
    assert score(live, "Alice lives in Paris.") is None
    assert score(live, "Alice lives in Paris.", " ") is None


def test_a_reply_that_states_nothing_is_grounded(live: Grounded) -> None:
    for reply in ("", "Hello!", "Shall I write to Bob on Monday?", "Sure.\n\nOf course."):
        assert score(live, reply, SOURCE) == 1.0


STATEMENTS = [
    ("One two three four. Five six seven eight!", 2),
    ("One two three four", 1),
    ("It costs 3.50 euros today. Mr. Smith wrote that down.", 2),
    ("One two three four?) Five six seven eight.", 1),
    ("- one two three four\n- five six seven eight\n", 2),
    ("彼は東京に住んでいます。私は大阪に住んでいます。", 2),
    ("お元気でいらっしゃいますか？", 0),
    ("Hi.", 0),
]


@pytest.mark.parametrize(("text", "count"), STATEMENTS)
def test_a_statement_is_a_sentence_that_says_something(text: str, count: int) -> None:
    assert len(statements(text)) == count


def test_very_many_statements_are_judged_together() -> None:
    text = "one two three four. " * (MOST_STATEMENTS * 3)
    told = statements(text)
    assert len(told) <= MOST_STATEMENTS
    assert sum(one.count("four") for one in told) == MOST_STATEMENTS * 3


@pytest.mark.parametrize("piece", [".", '."', "?", "\n", "a.", ". ", "…»"])
def test_signs_alone_take_no_time(piece: str) -> None:
    def took(size: int) -> float:
        start = time.process_time()
        statements(piece * size)
        return time.process_time() - start

    assert any(took(80_000) < max(took(20_000) * 12, 0.02) for _ in range(4))
