"""A small TOML file and where its keys and values stand, for findings that point into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from guardkit.diagnostics import Diagnostic, Place, Source, Span, diagnose

MAX_LINE = 1_000
MAX_PARTS = 16
"""Of a dotted key: what a reader of TOML remembers of one grows with the square of them."""

Keys = tuple[str, ...]
"""The tables around a key, and the key."""

_PART = r'"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'|[A-Za-z0-9_-]++'
_DOT = r"[ \t]*+\.[ \t]*+"
_KEY = rf"(?:{_PART})(?:{_DOT}(?:{_PART}))*+"
_SAID = re.compile(
    rf"^[ \t]*+(?:\[\[?[ \t]*+(?P<table>{_KEY})|(?P<key>{_KEY})[ \t]*+=[ \t]*+(?P<value>{_PART})?)",
    re.MULTILINE,
)
_DEEP = re.compile(rf"(?<![A-Za-z0-9_-])(?:(?:{_PART}){_DOT}){{{MAX_PARTS}}}")
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Said(NamedTuple):
    """Where one key stands, and its value where that is one word or text."""

    key: Span
    value: Span


class Toml(NamedTuple):
    """What a file says, and where."""

    data: dict[str, Any]  # whatever TOML can hold
    places: dict[Keys, Said]

    def at(self, path: Keys) -> Said:
        """Where a key stands; for one written some other way, the nearest key around it."""
        for length in range(len(path), 0, -1):
            said = self.places.get(path[:length])
            if said is not None:
                return said
        return Said(Span(0, 0), Span(0, 0))


def read_toml(source: Source, slug: str) -> Toml | Diagnostic:
    """The content of a TOML file, or the one diagnostic, called `slug`, that says why it has none.

    Long lines and deep keys are refused before anything is parsed.
    """
    # Loaded here: few deployments have such a file.
    import tomllib

    text = source.text
    at = 0
    for line in text.split("\n"):
        if len(line) > MAX_LINE:
            said = f"a line has more than {MAX_LINE:,} characters"
            return diagnose(slug, Place(source, Span(at, at + 1)), said)
        at += len(line) + 1
    deep = _DEEP.search(text)
    if deep is not None:
        place = Place(source, Span(*deep.span()))
        return diagnose(slug, place, f"a key has more than {MAX_PARTS} parts")
    try:
        data = tomllib.loads(text)
    except RecursionError:
        return diagnose(slug, Place(source, Span(0, 0)), "brackets are nested too deep")
    except ValueError as error:
        return diagnose(
            slug,
            Place(source, _span_of(str(error), text)),
            f"this is not TOML: {_why(str(error))}",
            help='write one rule a line: `name = "shadow"`',
        )
    return Toml(data, dict(_places(text)))


def _why(said: str) -> str:
    why = _WHERE.sub("", said).strip().rstrip(".").splitlines()[0]
    return why[:1].lower() + why[1:]


def _span_of(said: str, text: str) -> Span:
    """The character that an error of the parser speaks of."""
    found = _WHERE.search(said)
    if found is None:
        return Span(0, 0)
    end = len(text.rstrip())
    if found[1] is None:
        return Span(max(end - 1, 0), end)
    lines = text.split("\n")[: int(found[1]) - 1]
    start = min(sum(len(line) + 1 for line in lines) + int(found[2]) - 1, len(text))
    return Span(start, min(start + 1, len(text)))


def _places(text: str) -> Iterator[tuple[Keys, Said]]:
    """Every key that begins a line, and every table. Texts over several lines may mislead."""
    table: Keys = ()
    for found in _SAID.finditer(text):
        if found["table"] is not None:
            table = _parts(found["table"])
            span = Span(*found.span("table"))
            yield table, Said(span, span)
            continue
        key = Span(*found.span("key"))
        value = Span(*found.span("value")) if found["value"] is not None else key
        path = (*table, *_parts(found["key"]))
        yield path, Said(key, value)


def _parts(key: str) -> Keys:
    import tomllib

    return tuple(
        next(iter(tomllib.loads(f"{part} = 1"))) if '"' in part else part.strip("'")
        for part in re.findall(_PART, key)
    )
