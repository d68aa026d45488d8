"""Judges: asked once with text and rubric, and believed only where the answer is a score."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import partial
from types import ModuleType

import anyio
import pytest

from guardkit.checks.live import _judge
from guardkit.errors import BindError, CheckError
from guardkit.runtime import Workers

from ._around import Here, Read

CONFIG = {"call": "no_such_module:judge", "rubric": "Is it rude?"}


def asked(judge: object, text: str = "the text", backend: str = "asyncio") -> object:
    live = _judge.bind(CONFIG, Here(given=judge))
    answer = anyio.run(live.call, Read(text), backend=backend)
    assert answer.hits == ()
    return answer.value


async def by_length(text: str, rubric: str) -> float:
    assert rubric == "Is it rude?"
    return len(text) / 10


class Judge:
    async def __call__(self, text: str, rubric: str) -> float:
        return 0.25


class PlainJudge:
    def __call__(self, text: str, rubric: str) -> float:
        return 0.75


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("judge", "score"),
    [
        (by_length, 0.8),
        (partial(by_length), 0.8),
        (lambda text, rubric: by_length(text, rubric), 0.8),
        (lambda text, rubric: len(text) / 16, 0.5),
        (Judge, 0.25),
        (Judge(), 0.25),
        (PlainJudge, 0.75),
    ],
)
def test_a_judge_may_be_any_callable(judge: object, score: float, backend: str) -> None:
    assert asked(judge, backend=backend) == score


@pytest.mark.parametrize("score", [0, 1, 0.0, 1.0, 0.5, Fraction(1, 2)])
def test_a_number_from_0_to_1_is_a_score(score: object) -> None:
    assert asked(lambda text, rubric: score) == float(score)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "nonsense",
    [
        None, True, False, "0.5", "", b"1", math.nan, math.inf, -0.001, 1.001, 2, 10**400, 1j,
        Decimal("0.5"), [0.5], (0.5,), {"score": 0.5}, object(),
    ],
)  # fmt: skip
def test_anything_else_is_unknown(nonsense: object) -> None:
    assert asked(lambda text, rubric: nonsense) is None


@pytest.mark.parametrize("error", [ValueError, KeyError, MemoryError, TimeoutError])
def test_exceptions_are_let_out(error: type[Exception]) -> None:
    def fail(text: str, rubric: str) -> float:
        raise error

    async def fail_later(text: str, rubric: str) -> float:
        raise error

    for judge in (fail, fail_later):
        with pytest.raises(error):
            asked(judge)


@pytest.mark.parametrize("error", [SystemExit, StopIteration])
def test_what_would_harm_the_event_loop_is_an_ordinary_error(error: type[BaseException]) -> None:
    def fail(text: str, rubric: str) -> float:
        raise error

    with pytest.raises(CheckError):
        asked(fail)


def test_an_async_judge_cannot_end_the_process() -> None:
    async def fail(text: str, rubric: str) -> float:
        raise SystemExit

    with pytest.raises(CheckError):
        asked(fail)


def test_the_wait_for_a_judge_that_blocks_can_end() -> None:
    import threading

    release = threading.Event()

    def block(text: str, rubric: str) -> float:
        release.wait(20)
        return 1.0

    async def main() -> None:
        live = _judge.bind(CONFIG, Here(given=block))
        with anyio.move_on_after(0.05) as scope:
            await live.call(Read("x"))
        assert scope.cancelled_caught
        release.set()

    anyio.run(main)


def test_judges_that_hang_do_not_pile_up() -> None:
    import threading

    release = threading.Event()

    def block(text: str, rubric: str) -> float:
        release.wait(20)
        return 1.0

    async def main() -> None:
        live = _judge.bind(CONFIG, Here(given=block, workers=Workers(1, most_stuck=2)))
        for _ in range(2):
            with anyio.move_on_after(0.05):
                await live.call(Read("x"))
        with pytest.raises(CheckError):
            await live.call(Read("x"))
        release.set()

    anyio.run(main)


# --- what `call` names


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    import sys

    made = ModuleType("made_up_judges")
    monkeypatch.setitem(sys.modules, "made_up_judges", made)
    return made


def test_a_judge_may_be_imported(module: ModuleType) -> None:
    module.judge = by_length  # type: ignore[attr-defined]
    live = _judge.bind({"call": "made_up_judges:judge", "rubric": "Is it rude?"}, Here())
    assert anyio.run(live.call, Read("12345")).value == 0.5


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("no_such_module:judge", "there is no module `no_such_module`"),
        ("made_up_judges:nobody", "`made_up_judges` has no `nobody`"),
    ],
)
def test_what_is_not_there_is_said_at_bind(module: ModuleType, call: str, problem: str) -> None:
    with pytest.raises(BindError, match=problem):
        _judge.bind({"call": call}, Here())


def test_what_cannot_be_called_is_said_at_bind() -> None:
    class NeedsMore:
        def __init__(self, key: str) -> None:
            self.key = key

    for given in (7, "text", NeedsMore):
        with pytest.raises(BindError):
            _judge.bind(CONFIG, Here(given=given))
