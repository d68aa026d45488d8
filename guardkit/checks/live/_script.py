"""Finds letters of scripts that are not allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardkit.catalog import Form, Hit, Setting

from ._matches import Program, find_all, prepare


def bind(config: Mapping[str, object], setting: Setting) -> ScriptFinder:
    """A finder for letters of every script but the allowed ones."""
    allowed = config["allow"]
    assert isinstance(allowed, tuple)
    fine = "".join(f"\\p{{{str(name).capitalize()}}}" for name in allowed)
    # Letters without those of the allowed scripts and of none: all that is not (no letter, or …).
    letter = rf"[^\PL{fine}\p{{Common}}\p{{Inherited}}]"
    # The same letters, and the marks on them.
    goes_on = rf"[^\pN\pP\pS\pZ\pC{fine}\p{{Common}}]"
    return ScriptFinder(letter, prepare(f"{letter}{goes_on}*"))


class ScriptFinder:
    """Finds letters that may not be used; implements `Finder`.

    Args:
        letter: The RE2 class of such letters.
        run: A run of them with their marks.
    """

    __slots__ = ("_needles", "_run")

    key_words: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __init__(self, letter: str, run: Program) -> None:
        self._needles = (letter,)
        self._run = run

    def needles(self, form: Form) -> tuple[str, ...]:
        """The letters. Loose text has lost what scripts are told apart by."""
        return self._needles if form == "plain" else ()

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Each run of such letters."""
        return [Hit(start, end) for start, end in find_all(self._run, text)]
