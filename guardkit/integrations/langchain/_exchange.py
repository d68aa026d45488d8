"""One call of a guarded model: whole or streamed, plain or async."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from guardkit.errors import Blocked
from guardkit.types import Verdict

from .._around import Around, Call, Said
from ._messages import (
    chunk_of,
    definitions,
    heard,
    pieces,
    put_back,
    readable,
    refusal,
    refusal_chunk,
)
from ._packages import chat_models, messages, taken
from ._whose import Facts, Session, Whose, whose

OnBlock = Literal["raise", "reply"]


@dataclass(frozen=True, slots=True)
class How:
    """What was chosen for a model; it holds for every call."""

    around: Around
    on_block: OnBlock
    session: Session
    context: Facts

    def asked(self, config: Any) -> Asked:
        """A call with a configuration."""
        return Asked(whose(self.session, self.context, config, config), self.on_block)


@dataclass(slots=True)
class Asked:
    """What is known of a call from outside of it."""

    whose: Whose
    on_block: OnBlock
    stopped: Verdict | None = None
    """The verdict that stopped it last."""
    is_answered: bool = False
    """Whether the last time the model was asked a reply, or a refusal, came of it."""
    open: list[Any] = field(default_factory=list)
    """Streams that nobody has closed yet."""


class Exchange:
    """One call.

    Args:
        inner: The model that is asked.
        how: What was chosen for it.
        asked: Whose call it is.
        stop: Where the model shall stop.
        keywords: What else it is asked with.
    """

    def __init__(self, inner: Any, how: How, asked: Asked, stop: Any, keywords: Any) -> None:
        self._inner, self._around, self._asked = inner, how.around, asked
        self._stop, self._keywords = stop, keywords
        self._tools = definitions(keywords.get("tools") or ())
        other = readable(keywords)
        self._other = [other] if other else []
        self._heard: list[tuple[Any, Any]] = []
        """What the model said, and the generation that it came in."""
        self._result: Any = None
        asked.is_answered, asked.stopped = False, None

    # --- whole

    def whole(self, given: Any) -> Any:
        """The result of a call, as it may be shown.

        Raises:
            Blocked: A rule stopped it, and the caller chose raising.
        """
        try:
            shown = self._around.ask(self._call(self._send), given, **self._beside)
        except Blocked as blocked:
            return self._result_of(self._refused(blocked))
        return self._result_of(shown)

    async def awhole(self, given: Any) -> Any:
        """`whole`, awaited."""
        try:
            shown = await self._around.aask(self._call(self._asend), given, **self._beside)
        except Blocked as blocked:
            return self._result_of(self._refused(blocked))
        return self._result_of(shown)

    def _send(self, said: Said) -> Any:
        given, keywords = self._sent(said)
        return self._got(self._inner._generate(given, stop=self._stop, **keywords))

    async def _asend(self, said: Said) -> Any:
        given, keywords = self._sent(said)
        return self._got(await self._inner._agenerate(given, stop=self._stop, **keywords))

    def _got(self, result: Any) -> Any:
        self._result = result
        made = [(heard(each), each) for each in result.generations]
        self._heard += made
        said = [message for message, _ in made]
        return said[0] if len(said) == 1 else said

    def _result_of(self, shown: Any) -> Any:
        """The model's own result where nothing was changed, else one of what is left."""
        listed = shown if isinstance(shown, list) else [shown]
        made = taken("langchain_core.outputs", "ChatGeneration")
        same = {id(message): generation for message, generation in self._heard}
        generations = [same.get(id(each)) or made(message=each) for each in listed]
        self._asked.is_answered = True
        given = [] if self._result is None else self._result.generations
        if len(given) == len(generations) and all(map(operator.is_, given, generations)):
            return self._result
        return taken("langchain_core.outputs", "ChatResult")(generations=generations)

    def _refused(self, blocked: Blocked) -> Any:
        verdict = blocked.verdict
        self._stops(blocked)
        # The tokens of a reply that nobody saw were spent all the same.
        usage = self._heard[-1][0].usage_metadata if self._heard else None
        return refusal(verdict, usage_metadata=usage)

    # --- streams

    def stream(self, given: Any, tell: Callable[..., Any] | None) -> Iterator[Any]:
        """The chunks of a call, as they may be shown.

        Args:
            given: The messages.
            tell: Told of every chunk before it is given.
        """
        last, shown = None, None
        try:
            shown = self._around.ask(self._call(self._pieces), given, **self._beside)
            for message in shown:
                last = message
                chunk = _chunk(message)
                if tell is not None:
                    tell(chunk.text, chunk=chunk)
                yield chunk
        except Blocked as blocked:
            chunk = self._refused_chunk(blocked, last)
            if tell is not None:
                tell(chunk.text, chunk=chunk)
            yield chunk
        finally:
            if shown is not None:
                shown.close()
        self._asked.is_answered = True

    async def astream(self, given: Any, tell: Callable[..., Any] | None) -> AsyncIterator[Any]:
        """`stream`, awaited."""
        last, shown = None, None
        try:
            shown = await self._around.aask(self._call(self._apieces), given, **self._beside)
            async for message in shown:
                last = message
                chunk = _chunk(message)
                if tell is not None:
                    await tell(chunk.text, chunk=chunk)
                yield chunk
        except Blocked as blocked:
            chunk = self._refused_chunk(blocked, last)
            if tell is not None:
                await tell(chunk.text, chunk=chunk)
            yield chunk
        finally:
            if shown is not None:
                await shown.aclose()
        self._asked.is_answered = True

    def _pieces(self, said: Said) -> Iterator[Any]:
        given, keywords = self._sent(said)
        if not _streams(self._inner, "_stream"):
            for each in self._inner._generate(given, stop=self._stop, **keywords).generations[:1]:
                yield from pieces(_chunk(heard(each)))
            return
        source = self._inner._stream(given, stop=self._stop, **keywords)
        try:
            for chunk in source:
                yield from pieces(chunk)
        finally:
            if hasattr(source, "close"):
                source.close()

    async def _apieces(self, said: Said) -> AsyncIterator[Any]:
        return self._alater(*self._sent(said))

    async def _alater(self, given: Any, keywords: Any) -> AsyncIterator[Any]:
        if not _streams(self._inner, "_astream", "_stream"):
            result = await self._inner._agenerate(given, stop=self._stop, **keywords)
            for each in result.generations[:1]:
                for piece in pieces(_chunk(heard(each))):
                    yield piece
            return
        source = self._inner._astream(given, stop=self._stop, **keywords)
        try:
            async for chunk in source:
                for piece in pieces(chunk):
                    yield piece
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()

    def _refused_chunk(self, blocked: Blocked, last: Any) -> Any:
        self._stops(blocked)
        said = blocked.verdict
        if last is None:
            return _chunk(refusal_chunk(said))
        # Set off from what was shown before it, as a guard's own stream does.
        return _chunk(refusal_chunk(said._replace(text=f"\n\n{said.text}"), id=last.id))

    # --- both

    def _call(self, send: Callable[[Said], Any]) -> Call:
        return Call(send, session=self._asked.whose.session, context=self._asked.whose.context)

    @property
    def _beside(self) -> dict[str, Any]:
        return {"tools": self._tools, "other": self._other}

    def _sent(self, said: Said) -> tuple[Any, dict[str, Any]]:
        """The messages and keywords that the model is asked with."""
        given = messages("convert_to_messages")(said.messages)
        other = said.other[0] if said.other else {}
        return given, put_back(self._keywords, said.tools, other)

    def _stops(self, blocked: Blocked) -> None:
        """Note a block; where the caller chose so, raise it, with no other error behind."""
        self._asked.stopped = blocked.verdict
        if self._asked.on_block == "raise":
            raise blocked from None


def _chunk(message: Any) -> Any:
    return taken("langchain_core.outputs", "ChatGenerationChunk")(message=chunk_of(message))


def _streams(model: Any, *names: str) -> bool:
    """Whether a model can give its reply piece by piece."""
    base = chat_models()
    return any(getattr(type(model), name) is not getattr(base, name) for name in names)
