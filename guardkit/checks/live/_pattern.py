"""Finds the matches of patterns, in the text as it is and in its loose form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardkit.catalog import Form, Hit, Setting
from guardkit.errors import CheckError

from ._loosen import every_word, first_words, key_words, loosen, reads_loose
from ._matches import Program, TooManyError, find_all, iter_all, outermost, prepare, with_flags
from ._shapes import holds_blank, shortest_of
from ._validators import Validator, validator


def bind(config: Mapping[str, object], setting: Setting) -> PatternFinder:
    """A finder for the patterns of one check.

    Raises:
        BindError: A pattern is too large for this machine.
    """
    matches = config.get("match")
    patterns = [
        (str(match[0]), str(match[1]))
        for match in (matches if isinstance(matches, tuple) else ())
        if isinstance(match, tuple)
    ]
    valid = config.get("valid")
    accepts = validator(str(valid[0]), float(valid[1])) if isinstance(valid, tuple) else None
    wide = [
        int(match[2])
        for match in (matches if isinstance(matches, tuple) else ())
        if isinstance(match, tuple) and len(match) > 2 and holds_blank(str(match[0]))
    ]
    spaced = max(wide, default=0)
    return PatternFinder(
        setting.name, patterns, accepts, is_loose=reads_loose(config), spaced=spaced
    )


class PatternFinder:
    """Finds the matches of some patterns; implements `Finder`.

    Args:
        name: The check's name, for errors.
        patterns: Sources with their flags.
        accepts: What a match has to pass.
        is_loose: Whether texts of form `loose` are read.
        spaced: The longest match that may have a blank in it; -1 where nothing bounds it.
    """

    __slots__ = (
        "_accepts",
        "_name",
        "_needles",
        "_programs",
        "key_words",
        "least",
        "spaced",
        "words",
    )

    def __init__(
        self,
        name: str,
        patterns: Sequence[tuple[str, str]],
        accepts: Validator | None,
        *,
        is_loose: bool,
        spaced: int = 0,
    ) -> None:
        self._name = name
        self.spaced = spaced
        self._accepts = accepts
        plain = tuple(prepare(source, flags) for source, flags in patterns)
        # A loose form has shorter loops than the pattern: it looks no further.
        loose = {
            form: prepare(form, is_near=not program.is_far)
            for (source, _), program in zip(patterns, plain, strict=True)
            if is_loose and (form := loosen(source)) is not None
        }
        self._needles: dict[Form, tuple[str, ...]] = {
            "plain": tuple(with_flags(source, flags) for source, flags in patterns),
            "loose": tuple(loose),
        }
        self._programs: dict[Form, tuple[Program, ...]] = {
            "plain": plain,
            "loose": tuple(loose.values()),
        }
        self.least = min(
            (shortest_of(source) for source in (*(one for one, _ in patterns), *loose)), default=0
        )
        sources = [source for source, _ in patterns] if is_loose else []
        self.key_words: tuple[str, ...] = first_words(map(key_words, sources))
        self.words: tuple[str, ...] = first_words(map(every_word, sources))

    def needles(self, form: Form) -> tuple[str, ...]:
        """The patterns themselves; for `loose` those of them that have such a form."""
        return self._needles[form]

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Every match of the patterns that were seen, one inside another left out.

        Raises:
            CheckError: There are more matches than can be validated.
        """
        spans: list[tuple[int, int]] = []
        for index in seen:
            program = self._programs[form][index]
            spans += self._valid(program, text) if self._accepts else find_all(program, text)
        return [Hit(start, end) for start, end in outermost(spans)]

    def _valid(self, program: Program, text: str) -> list[tuple[int, int]]:
        accepts = self._accepts
        assert accepts is not None
        try:
            return [(s, e) for s, e in iter_all(program, text) if accepts(text[s:e])]
        except TooManyError as error:
            raise CheckError(f"`{self._name}` has more matches than it can validate") from error
