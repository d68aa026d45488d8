"""Objects of the program's own: how they are asked, and when they are believed."""

from __future__ import annotations

import math

import anyio
import pytest

from guardkit.catalog import Hit
from guardkit.checks.live import _python
from guardkit.checks.live._python import MOST_PLACES
from guardkit.errors import BindError

from ._around import Here, Read


def asked(check: object, answers: str = "answer", text: str = "0123456789") -> object:
    live = _python.bind({"call": "nowhere:check", "answers": answers}, Here(given=check))
    answer = anyio.run(live.call, Read(text))
    return (answer.value, answer.hits) if answer.hits else answer.value


class Plain:
    def check(self, text: str) -> bool:
        return "9" in text


class Later:
    async def check(self, text: str) -> bool:
        return "9" in text


async def later(text: str) -> bool:
    return "9" in text


@pytest.mark.parametrize("check", [Plain, Plain(), Later, Later(), later, lambda text: "9" in text])
def test_a_check_may_be_a_callable_an_object_or_a_class(check: object) -> None:
    assert asked(check) is True
    assert asked(check, text="none") is False


def test_a_class_is_called_once() -> None:
    made: list[object] = []

    class Counted:
        def __init__(self) -> None:
            made.append(self)

        def check(self, text: str) -> bool:
            return True

    live = _python.bind({"call": "nowhere:check"}, Here(given=Counted))
    for _ in range(3):
        assert anyio.run(live.call, Read("x")).value is True
    assert len(made) == 1


@pytest.mark.parametrize(
    ("answers", "said", "value"),
    [
        ("answer", True, True),
        ("answer", 1, None),
        ("answer", "yes", None),
        ("answer", None, None),
        ("score", 0.5, 0.5),
        ("score", 1, 1.0),
        ("score", True, None),
        ("score", 1.5, None),
        ("score", math.nan, None),
        ("number", 1500, 1500.0),
        ("number", -2.5, -2.5),
        ("number", math.inf, None),
        ("number", "12", None),
    ],
)
def test_an_answer_has_the_declared_type(answers: str, said: object, value: object) -> None:
    got = asked(lambda text: said, answers)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ((True, [(2, 4)]), (True, (Hit(2, 4),))),
        ((True, [(5, 10, "tail"), [0, 1]]), (True, (Hit(0, 1), Hit(5, 10, "tail")))),
        ((True, ()), True),
        ((False, []), False),
        ((False, [(0, 1)]), None),
        ((True, [(0, 11)]), None),
        ((True, [(-1, 2)]), None),
        ((True, [(3, 3)]), None),
        ((True, [(4, 3)]), None),
        ((True, [(0.0, 1.0)]), None),
        ((True, [(False, True)]), None),
        ((True, [(0, 1, 2)]), None),
        ((True, [(0,)]), None),
        ((True, [0, 1]), None),
        ((True, "ab"), None),
        ((True, [(0, 1)] * (MOST_PLACES + 1)), None),
        ((True,), None),
        ((True, [], []), None),
    ],
)
def test_places_lie_in_the_text(said: object, value: object) -> None:
    assert asked(lambda text: said) == value


def test_exceptions_are_let_out() -> None:
    def fail(text: str) -> bool:
        raise LookupError

    with pytest.raises(LookupError):
        asked(fail)


def test_what_cannot_be_asked_is_said_at_bind() -> None:
    with pytest.raises(BindError, match="has no `check`"):
        _python.bind({"call": "nowhere:check"}, Here(given=7))


def test_a_module_that_fails_is_said_at_bind(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with open(f"{tmp_path}/made_up_broken.py", "w", encoding="utf-8") as file:
        file.write("raise RuntimeError('secret')\n")
    with pytest.raises(BindError) as caught:
        _python.bind({"call": "made_up_broken:check"}, Here())
    assert caught.value.problems == (
        "`made_up_broken:check` cannot be used: its module failed with RuntimeError",
    )
