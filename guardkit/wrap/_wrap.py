"""Puts a guard around a callable: plain or async, a function of one reply or a generator."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import (
    Any,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from guardkit.errors import UsageError

from ._exchange import Exchange, Options, Per, Prepared, Stopped, Streamed, Tell
from ._find_texts import Lens, TextOption, find_texts
from ._fresh import Judgements
from ._guarding import Context, Guarding
from ._inject import place_for
from ._judge import GOES
from ._noted import Kind
from ._noting import Build, noting
from ._refuse import maker_for
from ._steps import ADoes, Does, Watch, arun, run
from ._streams import arelay_stream, relay_stream

P = ParamSpec("P")
R = TypeVar("R")
Wrapped = Callable[..., Any]

REVISED_WITHIN_S = 30.0


class WrapOptions(TypedDict, total=False):
    """How a guard is put around a callable; `wrap` says what each option means."""

    on_block: Literal["raise", "reply"]
    on_hold: Literal["block", "wait"]
    text: TextOption
    reply: Lens | None
    session: str | Per | None
    context: Context | Per | None
    tenant: str | Per | None
    refusal: Callable[[str], Any] | None
    inject: bool
    within: float
    watch: Watch | None
    ledger: Tell | None
    known: Judgements | None


class Decorator(Protocol):
    """Puts a guard around a callable."""

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """The callable, guarded."""


@overload
def wrap(
    guard: Guarding, function: Callable[P, R], /, **options: Unpack[WrapOptions]
) -> Callable[P, R]: ...


@overload
def wrap(guard: Guarding, /, **options: Unpack[WrapOptions]) -> Decorator: ...


def wrap(
    guard: Guarding,
    function: Callable[P, R] | None = None,
    /,
    *,
    on_block: Literal["raise", "reply"] = "raise",
    on_hold: Literal["block", "wait"] = "block",
    text: TextOption = None,
    reply: Lens | None = None,
    session: str | Per | None = None,
    context: Context | Per | None = None,
    tenant: str | Per | None = None,
    refusal: Callable[[str], Any] | None = None,
    inject: bool = True,
    within: float = REVISED_WITHIN_S,
    watch: Watch | None = None,
    ledger: Tell | None = None,
    known: Judgements | None = None,
) -> Callable[P, R] | Decorator:
    """Put a guard around a callable that asks a model.

    What goes in is judged before the callable runs, what comes out before it is given back.

    Args:
        guard: The guard.
        function: The callable; without it, a decorator comes back.
        on_block: Raise `Blocked`, or give the rule's message back as the reply.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        text: Which parameters hold the text, by name; a function of the call's arguments that
            gives it; or a `Lens` to it. Without it the signature says.
        reply: A `Lens` to the texts of a reply whose shape is not known here.
        session: The session, or a function of the call's arguments that gives it.
        context: What rules may ask about as `context.…`, or such a function.
        tenant: The tenant, or such a function.
        refusal: Makes a reply of a message, for shapes that cannot be made otherwise.
        inject: Whether the policy's context layer is put in front of what the model reads.
        within: Seconds that all revisions of one reply may take together.
        watch: Told of every verdict that is more than a pass, before it is carried out. The
            rounds of a revision stand in its ledger.
        ledger: Told at the end of every exchange what it came to, and which layer made it so.
        known: Which messages of a session were judged before. Callables that share it, of this
            guard or of one that follows it, judge and count none of them twice; without it each
            has its own.

    Returns:
        A callable of the same kind and signature.

    Raises:
        UsageError: The signature does not say where the text is, or an option does not fit.
    """
    options: WrapOptions = {
        "on_block": on_block,
        "on_hold": on_hold,
        "text": text,
        "reply": reply,
        "session": session,
        "context": context,
        "tenant": tenant,
        "refusal": refusal,
        "inject": inject,
        "within": within,
        "watch": watch,
        "ledger": ledger,
        "known": known,
    }
    if function is None:
        return cast("Decorator", functools.partial(wrap, guard, **options))
    if isinstance(function, staticmethod | classmethod):
        inner = wrap(guard, function.__func__, **options)
        return cast("Callable[P, R]", type(function)(inner))
    if not callable(function):
        raise UsageError(f"a guard goes around a callable, not a `{type(function).__qualname__}`")
    _refuse_options(guard, options)
    texts = find_texts(function, text)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    given = {"session": session, "context": context, "tenant": tenant}
    fixed = {key: each for key, each in given.items() if each is not None and not callable(each)}
    per_call = {key: each for key, each in given.items() if callable(each)}
    made = refusal
    if made is None and on_block == "reply":
        made = maker_for(texts.signature.return_annotation, name)
    exchange = Exchange(
        guard,
        texts,
        Options(on_block, on_hold, within, reply, fixed, per_call, watch, ledger),
        place_for(texts, name) if inject and guard.system_prompt else None,
        made or str,
        Judgements() if known is None else known,
    )
    return cast("Callable[P, R]", _around(exchange, function))


def _refuse_options(guard: Guarding, options: WrapOptions) -> None:
    if options["on_block"] not in ("raise", "reply"):
        raise UsageError('`on_block` is "raise" or "reply"')
    if options["on_hold"] not in ("block", "wait"):
        raise UsageError('`on_hold` is "block" or "wait"')
    waits = options["on_hold"] == "wait"
    if waits and not (hasattr(guard, "await_hold") and hasattr(guard, "aawait_hold")):
        raise UsageError('`on_hold="wait"`: this guard has no approvals to wait for')
    if options["session"] is None and getattr(guard, "needs_session", False):
        raise UsageError(
            "this policy remembers things over a session: say which with `session=`, "
            "a name or a function of the call's arguments"
        )


def _around(exchange: Exchange, function: Wrapped) -> Wrapped:
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target) and not inspect.isclass(target):
        target = type(target).__call__
    kind = _kind_of(target)
    build = _builders[kind]
    if exchange.options.ledger is None and not getattr(exchange.guard, "listens", False):
        made = build(exchange, function)
    else:
        made = noting(exchange, function, build, kind)
    functools.update_wrapper(made, function)
    return made


def _kind_of(target: Any) -> Kind:
    if inspect.isasyncgenfunction(target):
        return "async generator"
    if inspect.isgeneratorfunction(target):
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(target) else "plain"


def _does(exchange: Exchange, function: Wrapped) -> Does:
    return Does(exchange.guard, function, exchange.options.watch)


def _adoes(exchange: Exchange, function: Wrapped) -> ADoes:
    return ADoes(exchange.guard, function, exchange.options.watch)


def _fast(exchange: Exchange) -> tuple[int, str] | None:
    """Where the text of a plain prompt function stands, if nothing else has to be looked at."""
    texts, options = exchange.texts, exchange.options
    only = texts.only
    is_plain = not (
        texts.has_more or options.per_call or options.reply or options.watch or exchange.injected
    )
    if only is None or not is_plain or "session" in options.fixed:
        return None
    return (sys.maxsize if only.place is None else only.place), only.name


def _coroutine(exchange: Exchange, function: Wrapped) -> Wrapped:
    does = _adoes(exchange, function)

    async def whole(*args: Any, **kwargs: Any) -> Any:
        return _settled(exchange, None, does, await arun(exchange.whole(args, kwargs), does))

    fast = _fast(exchange)
    if fast is None:
        return whole
    place, name = fast
    keys = exchange.options.fixed
    acheck = functools.partial(exchange.guard.acheck, **keys) if keys else exchange.guard.acheck
    clear: Callable[[str, str], bool] | None = getattr(exchange.guard, "clear", None)

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        text = args[place] if len(args) > place else kwargs.get(name)
        if type(text) is not str:
            return await whole(*args, **kwargs)
        if clear is None or not clear(text, "input"):
            verdict = await acheck(text, on="input")
            if verdict.action not in GOES:
                steps = exchange.whole(args, kwargs, verdict)
                return _settled(exchange, None, does, await arun(steps, does))
        reply = await function(*args, **kwargs)
        first = None
        if type(reply) is str:
            if clear is not None and clear(reply, "output"):
                return reply
            first = await acheck(reply, on="output", sources={"input": (text,)})
            if first.action in GOES:
                return reply
        steps = exchange.deliver(reply, Prepared(args, kwargs, keys, {"input": (text,)}), first)
        return _settled(exchange, None, does, await arun(steps, does))

    return guarded


def _plain(exchange: Exchange, function: Wrapped) -> Wrapped:
    does, adoes = _does(exchange, function), _adoes(exchange, function)

    def whole(*args: Any, **kwargs: Any) -> Any:
        return _settled(exchange, does, adoes, run(exchange.whole(args, kwargs), does, adoes))

    fast = _fast(exchange)
    if fast is None:
        return whole
    place, name = fast
    keys = exchange.options.fixed
    check = functools.partial(exchange.guard.check, **keys) if keys else exchange.guard.check
    clear: Callable[[str, str], bool] | None = getattr(exchange.guard, "clear", None)

    def guarded(*args: Any, **kwargs: Any) -> Any:
        text = args[place] if len(args) > place else kwargs.get(name)
        if type(text) is not str:
            return whole(*args, **kwargs)
        if clear is None or not clear(text, "input"):
            verdict = check(text, on="input")
            if verdict.action not in GOES:
                steps = exchange.whole(args, kwargs, verdict)
                return _settled(exchange, does, adoes, run(steps, does, adoes))
        reply = function(*args, **kwargs)
        first = None
        if type(reply) is str:
            if clear is not None and clear(reply, "output"):
                return reply
            first = check(reply, on="output", sources={"input": (text,)})
            if first.action in GOES:
                return reply
        prepared = Prepared(args, kwargs, keys, {"input": (text,)})
        if hasattr(reply, "__await__"):
            return _awaited(exchange, adoes, reply, prepared)
        steps = exchange.deliver(reply, prepared, first)
        return _settled(exchange, does, adoes, run(steps, does, adoes))

    return guarded


def _generator(exchange: Exchange, function: Wrapped) -> Wrapped:
    does, adoes = _does(exchange, function), _adoes(exchange, function)

    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        prepared = run(exchange.prepare(args, kwargs), does, adoes)
        if isinstance(prepared, Stopped):
            yield exchange.refusal(prepared.verdict.text)
        elif isinstance(prepared, Prepared):
            source = function(*prepared.args, **prepared.kwargs)
            yield from relay_stream(exchange, does, source, prepared)

    return guarded


def _async_generator(exchange: Exchange, function: Wrapped) -> Wrapped:
    does = _adoes(exchange, function)

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        prepared = await arun(exchange.prepare(args, kwargs), does)
        if isinstance(prepared, Stopped):
            yield exchange.refusal(prepared.verdict.text)
            return
        source = function(*prepared.args, **prepared.kwargs)
        relayed = arelay_stream(exchange, does, source, prepared)
        try:
            async for shown in relayed:
                yield shown
        finally:
            await relayed.aclose()

    return guarded


_builders: dict[Kind, Build] = {
    "plain": _plain,
    "coroutine": _coroutine,
    "generator": _generator,
    "async generator": _async_generator,
}


def _settled(exchange: Exchange, does: Does | None, adoes: ADoes, result: Any) -> Any:
    """A reply as it is; a stream that the callable gave back, guarded."""
    if type(result) is not Streamed:
        return _later(exchange, adoes, result) if does and hasattr(result, "__await__") else result
    stream, prepared = result.stream, result.prepared
    if hasattr(type(stream), "__aiter__"):
        return arelay_stream(exchange, adoes, stream, prepared)
    return relay_stream(exchange, does or _does(exchange, str), stream, prepared)


async def _later(exchange: Exchange, does: ADoes, result: Awaitable[Any]) -> Any:
    return _settled(exchange, None, does, await result)


async def _awaited(
    exchange: Exchange, does: ADoes, reply: Awaitable[Any], prepared: Prepared
) -> Any:
    """The reply of a plain callable that turned out to be a coroutine."""
    steps = exchange.deliver(await reply, prepared)
    return _settled(exchange, None, does, await arun(steps, does))
