"""Labelled texts in files: read as often as needed, sampled the same way every time."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple, cast

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, case_file, cases_of
from guardkit.guard import Case as Given
from guardkit.types import Surface

from ._label import Labels

MOST_NAMES: Final = 100_000
"""Sources, or kinds of text, of one run."""
_LONGEST_ID: Final = 80


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled text, and what stands around it. Its repr shows none of it."""

    id: str
    text: str = field(repr=False)
    is_harmful: bool
    category: str = ""
    """The label, where labels are names."""
    on: Surface = "input"
    source: str = ""
    """Where it is from."""
    group: str = ""
    """What kind of text it is."""
    context: Mapping[str, object] | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)
    tool: str | None = None
    sources: Mapping[str, Sequence[str]] | None = field(default=None, repr=False)
    """Texts of the exchange that a check may compare with: `{"retrieved": [...]}`."""


class Sample(NamedTuple):
    """Which of the texts are taken: all of them, unless it says otherwise."""

    most: int | None = None
    per_source: int | None = None
    """At most so many of one source and label."""
    seed: int = 0


class CaseFiles:
    """The labelled texts of some files. Making it reads them once, to see that they are sound.

    Which texts a sample takes depends on the texts and the seed, not on their order.

    Args:
        paths: JSONL, plain or `.gz`, or Parquet.
        on: The surface of texts that name none.
        label_is: Which labels mean harmful, where labels are names.
        sample: Which of them to take.

    Raises:
        UsageError: A file cannot be read, or a row is no labelled text; the message names it and
            quotes nothing.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        on: Surface = "input",
        label_is: Mapping[str, bool] | None = None,
        sample: Sample | None = None,
    ) -> None:
        self._paths = tuple(paths)
        self._on = on
        self.sample = sample or Sample()
        keys, strata, labels = array("Q"), array("I"), Counter[int | str]()
        numbers: dict[tuple[str, int | str], int] = {}
        kinds: dict[str, None] = {}
        is_sampled = self.sample.most is not None or self.sample.per_source is not None
        for row in self._rows():
            labels[row.label] += 1
            if len(labels) > MOST_NAMES:
                raise UsageError(f"{row.where}: there are more than {MOST_NAMES:,} labels")
            kinds[row.source] = None
            kinds[row.group] = None
            if len(kinds) > MOST_NAMES:
                raise UsageError(f"{row.where}: there are more than {MOST_NAMES:,} sources")
            if is_sampled:
                keys.append(_key(self.sample.seed, row))
                strata.append(numbers.setdefault((row.source, row.label), len(numbers)))
        self.labels = Labels.of(labels, label_is or {}, self.files)
        self._taken = _taken(keys, strata, self.sample) if is_sampled else None
        self.available = labels.total()
        """How many texts the files hold."""
        self.count = self.available if self._taken is None else len(self._taken)
        """How many of them are taken."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files by name, without the folders they lie in."""
        return tuple(visible(path.name) for path in self._paths)

    def __iter__(self) -> Iterator[Case]:
        for number, row in enumerate(self._rows()):
            if self._taken is None or number in self._taken:
                yield self._case(row)

    def _case(self, row: _Row) -> Case:
        given = row.given
        shown = visible(given.id)
        return Case(
            id=shown if len(shown) <= _LONGEST_ID else f"{shown[: _LONGEST_ID - 1]}…",
            text=given.text,
            is_harmful=self.labels.is_harmful(row.label),
            category=row.label if isinstance(row.label, str) else "",
            on=given.on,
            source=row.source,
            group=row.group,
            context=given.context,
            session=given.session,
            tool=given.tool,
            sources=row.sources,
        )

    def _rows(self) -> Iterator[_Row]:
        for path in self._paths:
            case_file(path.as_posix())
            if _is_read_once(path):
                raise UsageError(f"`{visible(path.as_posix())}` is no file")
            for given in cases_of(path, self._on):
                where = f"{visible(path.name)}:{given.line}"
                if isinstance(given, BrokenRow):
                    raise UsageError(f"{where}: {given.why}")
                yield _row(path.name, where, given)


# --- which of them


def _key(seed: int, row: _Row) -> int:
    made = blake2b(f"{seed}\0{row.label}\0{row.given.on}\0".encode(), digest_size=8)
    made.update(row.given.text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(made.digest())


def _taken(keys: Sequence[int], strata: Sequence[int], sample: Sample) -> set[int]:
    ranked = sorted(range(len(keys)), key=lambda at: (keys[at], at))
    if sample.per_source is not None:
        count = Counter[int]()
        kept = []
        for at in ranked:
            count[strata[at]] += 1
            if count[strata[at]] <= sample.per_source:
                kept.append(at)
        ranked = kept
    return set(ranked if sample.most is None else ranked[: sample.most])


# --- rows


def _is_read_once(path: Path) -> bool:
    """Whether it is a pipe or the like, or a folder: texts are read twice."""
    try:
        return path.exists() and not path.is_file()
    except OSError:
        return False  # whoever opens it says why it cannot be read


class _Row(NamedTuple):
    """A row that is known to be sound."""

    where: str
    label: int | str
    source: str
    group: str
    sources: Mapping[str, Sequence[str]] | None
    given: Given


def _row(name: str, where: str, given: Given) -> _Row:
    row = given.row
    for field_name in ("sources", "meta"):
        if not isinstance(row.get(field_name), dict | None):
            raise UsageError(f"{where}: `{field_name}` is no object")
    for field_name in ("source", "group"):
        if not isinstance(row.get(field_name), str | None):
            raise UsageError(f"{where}: `{field_name}` is no text")
    sources = cast(dict[str, list[str]] | None, row.get("sources"))
    if not all(_is_texts(texts) for texts in (sources or {}).values()):
        raise UsageError(f"{where}: `sources` holds lists of texts, one for each surface")
    meta = cast(dict[str, object], row.get("meta") or {})
    group = row.get("group") or meta.get("family") or meta.get("kind")
    source = row.get("source") or name
    return _Row(
        where,
        _label(given.label, where),
        visible(str(source))[:200],
        visible(group)[:200] if isinstance(group, str) else "",
        sources,
        given,
    )


def _is_texts(given: object) -> bool:
    return isinstance(given, list) and all(isinstance(text, str) for text in given)


def _label(label: object, where: str) -> int | str:
    if label is None:
        raise UsageError(f"{where}: it has no `label`")
    if isinstance(label, str):
        if label == label.strip() and 0 < len(label) <= 100 and label.isprintable():
            return label
    elif isinstance(label, int | float) and label in (0, 1):
        return int(label)
    raise UsageError(f"{where}: its `label` is neither 0, 1, true, false nor a name of one line")
