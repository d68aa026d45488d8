"""Gives the length of the text, or with a bound answers yes when the length is outside it.

Without a bound the answer is a number of characters: `size > 4000`. With `max` or `min` it is yes
when the text is longer than `max` or shorter than `min`. Exactly at the bound is a no.

Why it matters
    Length is the cheapest defence there is: many-shot prompts, padding and runaway replies are long
    before they are anything else. It also bounds what every later check costs.

Known misses
    Tokens are those of the shipped tokenizer, not of your model: leave room. Characters are code
    points, so one emoji may count as several. Words stand between blanks: text in a language that
    writes none is one word.

Example
    check too_long = length {
      max 4000 chars
    }
    check empty_reply = length {
      min 1 words
    }

Options
    max: the largest allowed length, in chars, tokens, words, lines or bytes
    min: the smallest allowed length, in the same units

Cost
    About 6 µs for 1 KB; with a bound in tokens about 0.3 ms for 1 KB.

    The length of a text is known at its end, and so is whether it reached `min`: a rule on a stream
    needs `hold_back all`. A text past `max` is a yes at once, and the rest is not awaited.

Data it reads
    The text. No file, no network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardkit.catalog import Answer, CheckSpec, Cost, PropertySpec, Setting, Subject
from guardkit.errors import BindError

from ._properties import MAX_CHARS

_UNITS = ("chars", "tokens", "words", "lines", "bytes")
_TOKENIZED = Cost(20.0, 290.0, shared="tokens")

SPEC = CheckSpec(
    kind="length",
    summary="Gives the length of the text, or with a bound answers yes when the length is outside"
    " it",
    answers="number",
    cost=Cost(0.5, 5.0),
    properties=(
        PropertySpec(
            "max", "size", "the largest allowed", choices=_UNITS, minimum=0.0, maximum=MAX_CHARS
        ),
        PropertySpec(
            "min", "size", "the smallest allowed", choices=_UNITS, minimum=1.0, maximum=MAX_CHARS
        ),
    ),
    # INVARIANT: never narrower than any property needs; `max` alone could do with less.
    reach="whole",
    # More than `max` is known as soon as it is there; less than `min` only at the end.
    reach_with=(("min", "whole"), ("max", "window")),
    answers_with=(("max", "answer"), ("min", "answer")),
    costs=(("max", "tokens", _TOKENIZED), ("min", "tokens", _TOKENIZED)),
)


def bind(config: Mapping[str, object], setting: Setting) -> Length:
    """A reader that measures texts.

    Raises:
        BindError: A bound is in tokens, and there is no tokenizer here.
    """
    most, least = _bound(config, "max"), _bound(config, "min")
    return Length(most, least)


Measure = Callable[[str], int]
"""How long a text is, in some unit."""


def _lines(text: str) -> int:
    """Lines as an editor numbers them; a break at the end begins no new one."""
    return text.count("\n") + (not text.endswith("\n") and text != "")


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


_MEASURES: dict[str, Measure] = {
    "chars": len,
    "words": lambda text: len(text.split()),
    "lines": _lines,
    "bytes": _bytes,
}


def _bound(config: Mapping[str, object], name: str) -> tuple[float, Measure] | None:
    found = config.get(name)
    if not isinstance(found, tuple):
        return None
    number, unit = found
    if unit not in _MEASURES:
        raise BindError(f"`{name}` in {unit} needs the models, which are not here")
    return float(number), _MEASURES[unit]


class Length:
    """Measures a text; implements `Reader`.

    Args:
        most: The largest length that is fine, and how it is measured.
        least: The smallest one.
    """

    __slots__ = ("_least", "_most")

    def __init__(
        self, most: tuple[float, Measure] | None, least: tuple[float, Measure] | None
    ) -> None:
        self._most = most
        self._least = least

    def read(self, subject: Subject) -> Answer:
        """The number of characters, or whether a bound is passed."""
        text = subject.text
        if self._most is None and self._least is None:
            return Answer(float(len(text)))
        if self._most is not None and self._most[1](text) > self._most[0]:
            return Answer(True)
        return Answer(self._least is not None and self._least[1](text) < self._least[0])
