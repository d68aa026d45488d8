"""Every kind of callable stays what it is, and is judged on both sides."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from guardkit.errors import Blocked, UsageError
from guardkit.wrap import wrap

from ._guard import Scripted


def echo(prompt: str) -> str:
    """Says it again."""
    return prompt


async def aecho(prompt: str) -> str:
    return prompt


def spell(prompt: str) -> Iterator[str]:
    yield from prompt


async def aspell(prompt: str) -> AsyncIterator[str]:
    for letter in prompt:
        yield letter


class Bot:
    def __init__(self) -> None:
        self.name = "bot"

    def ask(self, prompt: str) -> str:
        return f"{self.name}: {prompt}"

    async def __call__(self, prompt: str) -> str:
        return f"{self.name}: {prompt}"


async def collect(stream: Any) -> str:
    return "".join([text async for text in stream])


def call(function: Any, *args: Any, **kwargs: Any) -> Any:
    """The whole reply of a callable of any kind."""

    async def whole() -> Any:
        result = function(*args, **kwargs)
        if hasattr(result, "__aiter__"):
            return await collect(result)
        if hasattr(result, "__await__"):
            result = await result
            return await collect(result) if hasattr(result, "__aiter__") else result
        return "".join(result) if hasattr(result, "__next__") else result

    return anyio.run(whole)


KINDS = [echo, aecho, spell, aspell]


@pytest.mark.parametrize("function", KINDS)
def test_a_wrapped_callable_stays_what_it_is(guard: Scripted, function: Any) -> None:
    wrapped = wrap(guard, function)
    for is_kind in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ):
        assert is_kind(wrapped) == is_kind(function)
    assert inspect.signature(wrapped) == inspect.signature(function)
    assert (wrapped.__name__, wrapped.__doc__) == (function.__name__, function.__doc__)


@pytest.mark.parametrize("function", KINDS)
@pytest.mark.parametrize(
    ("said", "comes"),
    [("hello", "hello"), ("", ""), ("order NB-1234!", "order [ORDER]!")],
)
def test_what_passes_comes_back(guard: Scripted, function: Any, said: str, comes: str) -> None:
    assert call(wrap(guard, function), said) == comes
    assert call(wrap(guard, function), prompt=said) == comes


@pytest.mark.parametrize("function", KINDS)
@pytest.mark.parametrize("said", ["a FORBIDDEN b", "an APPROVAL b"])
def test_a_block_of_the_input_raises_before_the_call(
    guard: Scripted, function: Any, said: str
) -> None:
    called = []

    @functools.wraps(function)
    def spy(prompt: str) -> Any:
        called.append(prompt)
        return function(prompt)

    for wrapped in (wrap(guard, function), wrap(guard, spy)):
        with pytest.raises(Blocked) as caught:
            call(wrapped, said)
        assert said not in repr(caught.value) + str(caught.value)
    assert not called


@pytest.mark.parametrize("function", KINDS)
def test_a_block_of_the_input_is_a_reply_where_that_is_wanted(
    guard: Scripted, function: Any
) -> None:
    assert call(wrap(guard, function, on_block="reply"), "a FORBIDDEN b") == "Stopped."


REPLIES = {
    "sync": lambda text: lambda prompt: text,
    "coroutine of a plain function": lambda text: lambda prompt: give(text),
    "generator of a plain function": lambda text: lambda prompt: iter([text[:4], text[4:]]),
    "async generator of a plain function": lambda text: lambda prompt: agive(text),
}


async def give(text: str) -> str:
    return text


async def agive(text: str) -> AsyncIterator[str]:
    yield text[:4]
    yield text[4:]


@pytest.mark.parametrize("kind", REPLIES)
def test_a_reply_is_judged_however_it_comes(guard: Scripted, kind: str) -> None:
    assert call(wrap(guard, REPLIES[kind]("my NB-1234 is"), text="prompt"), "hi") == "my [ORDER] is"
    with pytest.raises(Blocked):
        call(wrap(guard, REPLIES[kind]("is FORBIDDEN"), text="prompt"), "hi")
    reply = wrap(guard, REPLIES[kind]("is FORBIDDEN"), text="prompt", on_block="reply")
    assert call(reply, "hi").endswith("Stopped.")
    assert "FORB" not in call(reply, "hi")


def test_methods_partials_and_objects(guard: Scripted) -> None:
    class Guarded(Bot):
        ask = wrap(guard, Bot.ask)
        both = staticmethod(wrap(guard, echo))

        @classmethod
        def of(cls, prompt: str) -> str:
            return f"{cls.__name__} {prompt}"

        again = wrap(guard, of)

    assert Guarded().ask("NB-1234") == "bot: [ORDER]"
    assert Guarded().both("NB-1234") == "[ORDER]"
    assert Guarded.again("NB-1234") == "Guarded [ORDER]"
    assert call(wrap(guard, Bot().ask), "NB-1234") == "bot: [ORDER]"
    assert call(wrap(guard, Bot()), "NB-1234") == "bot: [ORDER]"
    assert call(wrap(guard, functools.partial(echo)), "NB-1234") == "[ORDER]"

    def two(model: str, prompt: str) -> str:
        return f"{model} {prompt}"

    assert call(wrap(guard, functools.partial(two, "m")), "NB-1234") == "m [ORDER]"
    assert call(wrap(guard, functools.partial(two, prompt="NB-1234")), "m") == "m [ORDER]"


def test_a_decorator_with_options(guard: Scripted) -> None:
    @wrap(guard, on_block="reply")
    def ask(prompt: str) -> str:
        return prompt

    assert ask("FORBIDDEN") == "Stopped."


def test_a_plain_function_inside_a_running_loop(guard: Scripted, backend: str) -> None:
    async def main() -> str:
        return wrap(guard, echo)("NB-1234")

    assert anyio.run(main, backend=backend) == "[ORDER]"


@pytest.mark.parametrize(
    "given", [b"x", None, 3, True, 2.0, bytearray(b"x"), [1, 2], [[1], [2]], ["a", b"b"]]
)
@pytest.mark.parametrize("function", KINDS)
def test_what_is_no_text_never_passes(guard: Scripted, function: Any, given: Any) -> None:
    with pytest.raises(UsageError, match="`prompt` has to be text or messages"):
        call(wrap(guard, function), given)


@pytest.mark.parametrize("result", [None, b"x", 3, object(), {1, 2}, [object()], [1, 2], [None]])
def test_a_reply_that_cannot_be_read_never_passes(guard: Scripted, result: Any) -> None:
    for function in (lambda prompt: result, lambda prompt: _give(result)):
        with pytest.raises(UsageError, match=r"reply="):
            call(wrap(guard, function, text="prompt"), "hi")


async def _give(result: Any) -> Any:
    return result


def test_the_own_errors_of_a_callable_pass(guard: Scripted) -> None:
    def stops(prompt: str) -> str:
        raise StopIteration

    with pytest.raises(StopIteration):
        wrap(guard, stops)("hi")
    with pytest.raises(TypeError, match="missing"):
        wrap(guard, echo)()  # type: ignore[call-arg]  # on purpose


def test_a_default_is_judged_too(guard: Scripted) -> None:
    def ask(prompt: str = "NB-1234") -> str:
        return prompt

    assert wrap(guard, ask)() == "[ORDER]"


def test_clear_is_asked_before_anything_is_built(guard: Scripted) -> None:
    asked = []

    class Quick(Scripted):
        def clear(self, text: str, surface: str) -> bool:
            asked.append((surface, text))
            return text == "hello"

    quick = Quick()
    for function in (echo, aecho):
        assert call(wrap(quick, function), "hello") == "hello"
    assert not quick.asked
    assert call(wrap(quick, echo), "NB-1234") == "[ORDER]"
    assert asked[:2] == [("input", "hello"), ("output", "hello")]


def test_a_hold_is_waited_for(guard: Scripted) -> None:
    class Patient(Scripted):
        def await_hold(self, hold: str) -> Any:
            return self.check("approved", on="input")

        async def aawait_hold(self, hold: str) -> Any:
            return self.await_hold(hold)

    for function in (echo, aecho):
        patient = Patient()
        assert call(wrap(patient, function, on_hold="wait"), "APPROVAL") == "APPROVAL"
    with pytest.raises(UsageError, match="no approvals"):
        wrap(guard, echo, on_hold="wait")
