"""Measures texts, each bound in its unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardkit.catalog import Answer, Setting, Subject


def bind(config: Mapping[str, object], setting: Setting) -> Length:
    """A reader that measures texts.

    Raises:
        BindError: A bound is in tokens, and the static model is not here.
    """
    most, least = _bound(config, "max", setting), _bound(config, "min", setting)
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


def _bound(
    config: Mapping[str, object], name: str, setting: Setting
) -> tuple[float, Measure] | None:
    found = config.get(name)
    if not isinstance(found, tuple):
        return None
    number, unit = found
    if unit == "tokens":
        from ._models import tier

        return float(number), tier("static", setting).count
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
