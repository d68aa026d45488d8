"""What a script may do about a request, and each of these as pieces of a reply."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ._upstream_items import ALL
from ._upstream_wire import Choices, Say, answers, openai_error, written

JSON, EVENTS = "application/json", "text/event-stream"
SENTENCE = "The double has nothing to add."
Headers = tuple[tuple[str, str], ...]


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]
    """Empty where the bytes are no JSON object."""
    raw: bytes
    at: float
    """When it had come whole, by `time.monotonic()`."""
    connection: int
    """Which connection it came on, counted from one."""

    @property
    def endpoint(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def streams(self) -> bool:
        """Whether a stream was asked for."""
        return self.body.get("stream") is True


# --- what a script may do, besides `Say` and `Choices`


@dataclass(frozen=True, slots=True)
class Error:
    """A refusal by the remote server; without a body of its own, in the dialect's shape."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: Headers = ()
    message: str = "the double was told to fail"


@dataclass(frozen=True, slots=True)
class Raw:
    """Any bytes as the whole body."""

    body: bytes
    kind: str = JSON
    status: int = 200
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Sse:
    """Any bytes as a stream, cut at these places."""

    body: bytes
    cuts: Sequence[int] = ()
    delay: float = 0.0
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A reply that ends after so many pieces.

    Args:
        after: How many pieces are sent.
        how: `reset` and `close` end the connection in the middle of the body, `clean` ends the
            body as if that were all, `error` ends it with the dialect's error event.
        say: What is being said.
    """

    after: int
    say: Say | Choices = field(default_factory=lambda: Say("one two three four five six seven"))
    how: Literal["reset", "close", "clean", "error"] = "reset"


@dataclass(frozen=True, slots=True)
class Gzipped:
    """A reply with `content-encoding: gzip`, whatever the request accepts."""

    say: Say | Choices | Raw | Sse | Error


@dataclass(frozen=True, slots=True)
class Slow:
    """Nothing at all for some seconds, then a reply."""

    seconds: float
    say: Say | Choices | Raw | Sse | Error = field(default_factory=lambda: Say(SENTENCE))


@dataclass(frozen=True, slots=True)
class Endless:
    """A reply that never ends: a stream of one word, or a body that goes on."""

    word: str = "more "
    delay: float = 0.005


@dataclass(frozen=True, slots=True)
class Redirect:
    """Another address."""

    url: str
    status: int = 307


Act = Say | Choices | Error | Raw | Sse | Cut | Gzipped | Slow | Endless | Redirect
Script = Act | Sequence[Act] | Callable[[Asked], Act]


class Reply(NamedTuple):
    """A script's decision as HTTP has it."""

    status: int
    kind: str
    pieces: Iterable[bytes]
    """A list, unless the reply never ends."""
    delay: float = 0.0
    headers: Headers = ()
    streams: bool = False
    """Whether it is written in chunks; else it is one piece of known length."""
    end: Literal["whole", "reset", "close"] = "whole"


# --- a decision as pieces of a reply


def render(act: Act, asked: Asked) -> Reply:
    """A script's decision as HTTP has it."""
    dialect = ALL[asked.endpoint]
    if isinstance(act, Error):
        body = act.body if act.body is not None else dialect.error(act.status, act.message)
        return Reply(act.status, JSON, [written(body)], headers=act.headers)
    if isinstance(act, Raw):
        return Reply(act.status, act.kind, [act.body], headers=act.headers)
    if isinstance(act, Redirect):
        return Reply(act.status, JSON, [b"{}"], headers=(("location", act.url),))
    if isinstance(act, Sse):
        size = len(act.body)
        places = [0, *sorted({cut for cut in act.cuts if 0 < cut < size}), size]
        pieces = [act.body[a:b] for a, b in itertools.pairwise(places) if a < b]
        return Reply(200, EVENTS, pieces, act.delay, act.headers, streams=True)
    if isinstance(act, Endless):
        kind = EVENTS if asked.streams else JSON
        return Reply(200, kind, _endless(act, asked), act.delay, streams=True)
    if isinstance(act, Cut):
        return _cut(act, asked)
    if isinstance(act, Gzipped):
        return _gzipped(render(act.say, asked))
    if isinstance(act, Slow):
        return render(act.say, asked)
    says = answers(act, asked.endpoint, asked.body)
    if not asked.streams or dialect.events is None:
        return Reply(200, JSON, [written(dialect.whole(says, asked.body))])
    chance = random.Random(act.seed) if isinstance(act, Choices) else None
    return Reply(200, EVENTS, dialect.events(says, asked.body, chance), act.delay, streams=True)


def _cut(act: Cut, asked: Asked) -> Reply:
    reply = render(act.say, asked)
    pieces = list(reply.pieces)
    if not reply.streams:
        text = pieces[0]
        pieces = [text[at : at + 16] for at in range(0, len(text), 16)]
    del pieces[act.after :]
    if act.how == "error":
        broken = ALL[asked.endpoint].broken
        assert broken is not None, "this endpoint has no streams"
        pieces.append(broken("the double was told to break off"))
    end = act.how if act.how in ("reset", "close") else "whole"
    return reply._replace(pieces=pieces, streams=True, end=end)


def _gzipped(reply: Reply) -> Reply:
    """The same pieces, each readable as soon as it has come, as servers that pack streams do."""
    packer = zlib.compressobj(wbits=31)
    out = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in reply.pieces]
    encoded = (*reply.headers, ("content-encoding", "gzip"))
    return reply._replace(pieces=[*out, packer.flush()], headers=encoded, streams=True)


def _endless(act: Endless, asked: Asked) -> Iterator[bytes]:
    """A stream that never gets past its text, or a body that never gets past its first field."""
    events = ALL[asked.endpoint].events
    if not asked.streams or events is None:
        yield b'{"id":"'
        while True:
            yield act.word.encode()
    for one in events([Say(act.word, chunk=len(act.word))], asked.body, None):
        yield one
        while written(act.word) in one:  # the first event with the word is its delta
            yield one


def is_known(asked: Asked) -> bool:
    """Whether this is a request for one of the endpoints."""
    return asked.method == "POST" and asked.endpoint in ALL


UNKNOWN = Reply(404, JSON, [written(openai_error(404, "there is no such endpoint"))])
