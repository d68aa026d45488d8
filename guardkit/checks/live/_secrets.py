"""Finds secrets by their shapes and names, and those known by heart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from guardkit.catalog import Form, Hit, Setting
from guardkit.errors import BindError, CheckError

from .._secrets import ENTROPY, KINDS
from ._files import text_of
from ._matches import TooManyError
from ._secret_seekers import Find, seekers_of


def bind(config: Mapping[str, object], setting: Setting) -> SecretsFinder:
    """A finder for the kinds and the known secrets of one check.

    Raises:
        BindError: The file of known secrets cannot be used.
    """
    kinds = config.get("kinds")
    floor = config.get("entropy")
    known = config.get("known")
    return SecretsFinder(
        setting.name,
        kinds if isinstance(kinds, tuple) else KINDS,
        floor=floor if isinstance(floor, float) else ENTROPY,
        known=_known(setting, known) if isinstance(known, tuple) else (),
        has_labels="label" not in config,
    )


MIN_KNOWN, MAX_KNOWN = 6, 512
"""A known secret of fewer characters stands in innocent text; a longer one is a file."""


def _known(setting: Setting, file: tuple[object, ...]) -> tuple[str, ...]:
    """The secrets of a file. What it holds is in no error."""
    lines = [line.strip() for line in text_of(setting, file).splitlines()]
    for number, line in enumerate(lines, 1):
        if line and not MIN_KNOWN <= len(line) <= MAX_KNOWN:
            raise BindError(
                f"line {number} of `{file[0]}` has {len(line)} characters:"
                f" a known secret has {MIN_KNOWN} to {MAX_KNOWN}"
            )
    return tuple(dict.fromkeys(filter(None, lines)))


class SecretsFinder:
    """Finds secrets in a text; implements `Finder`.

    Args:
        name: The check's name, for errors.
        kinds: The kinds to find.
        floor: How many bits a character of a key without a shape has to carry.
        known: Secrets that are known by heart.
        has_labels: Whether a find is labelled with its kind.
    """

    __slots__ = ("_has_labels", "_name", "_seekers", "key_words", "words")

    def __init__(
        self,
        name: str,
        kinds: Iterable[str],
        *,
        floor: float = ENTROPY,
        known: Sequence[str] = (),
        has_labels: bool = True,
    ) -> None:
        self._name = name
        self._has_labels = has_labels
        self._seekers = seekers_of(frozenset(kinds), floor, known)
        self.key_words: tuple[str, ...] = ()
        self.words: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SecretsFinder({self._name!r}, …)"  # INVARIANT: no known secret is shown

    def needles(self, form: Form) -> tuple[str, ...]:
        """How each kind begins. Keys hold digits, so there is nothing to find in folded text."""
        return tuple(seeker.needle for seeker in self._seekers) if form == "plain" else ()

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Every secret in one view, each labelled with its kind in capitals.

        Raises:
            CheckError: There are more places to look at than can be.
        """
        found: list[Find] = []
        for index in seen:
            try:
                found.extend(self._seekers[index].find(text))  # keeps what came before a fault
            except TooManyError as error:
                # A text that was made to be slow is rather covered than read to its end.
                if not found:
                    raise CheckError(f"`{self._name}` has too many places to look at") from error
                found.append(found[-1]._replace(start=error.start, end=len(text)))
        label = str.upper if self._has_labels else lambda _: ""
        return [Hit(find.start, find.end, label(find.kind)) for find in _settled(found)]


def _settled(found: list[Find]) -> list[Find]:
    """The outermost finds, each with the name of what says most about it."""
    found.sort(key=lambda find: (find.start, -find.end, find.rank))
    kept: list[Find] = []
    for find in found:
        if not kept or find.end > kept[-1].end:
            kept.append(find)
        elif find.rank < kept[-1].rank:
            kept[-1] = kept[-1]._replace(kind=find.kind, rank=find.rank)
    return kept
