"""Labelled texts in files: read as often as needed, sampled the same way every time."""

from __future__ import annotations

import gzip
import json
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.types import SURFACES, Surface

from ._label import Labels

SUFFIXES: Final = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".parquet")
"""What a file of labelled texts ends in."""
MOST_LINE: Final = 32 << 20
"""Bytes of one line: no text that can be judged takes more."""
MOST_NAMES: Final = 100_000
"""Sources, or kinds of text, of one run."""
_LONGEST_ID: Final = 80
_AT_ONCE: Final = 256


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
        return Case(
            id=row.id,
            text=given["text"],
            is_harmful=self.labels.is_harmful(row.label),
            category=row.label if isinstance(row.label, str) else "",
            on=row.on,
            source=row.source,
            group=row.group,
            context=given.get("context"),
            session=given.get("session"),
            tool=given.get("tool"),
            sources=given.get("sources"),
        )

    def _rows(self) -> Iterator[_Row]:
        for path in self._paths:
            for number, given in _objects(path):
                yield _row(path.name, f"{visible(path.name)}:{number}", given, self._on)


# --- which of them


def _key(seed: int, row: _Row) -> int:
    made = blake2b(f"{seed}\0{row.label}\0{row.on}\0".encode(), digest_size=8)
    made.update(row.given["text"].encode("utf-8", "surrogatepass"))
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


class _Row(NamedTuple):
    """A row that is known to be sound."""

    id: str
    where: str
    label: int | str
    on: Surface
    source: str
    group: str
    given: Mapping[str, Any]


def _row(name: str, where: str, given: object, on: Surface) -> _Row:
    if not isinstance(given, dict):
        raise UsageError(f"{where}: it is no object")
    if not isinstance(given.get("text"), str):
        raise UsageError(f"{where}: it has no `text`")
    surface = given.get("on")
    if surface is None:
        surface = on
    elif surface not in SURFACES or surface == "conversation":
        raise UsageError(f"{where}: `on` names no surface")
    for field_name in ("context", "sources", "meta"):
        if not isinstance(given.get(field_name), dict | None):
            raise UsageError(f"{where}: `{field_name}` is no object")
    for field_name in ("session", "tool", "source", "group"):
        if not isinstance(given.get(field_name), str | None):
            raise UsageError(f"{where}: `{field_name}` is no text")
    sources = given.get("sources") or {}
    if not all(_is_texts(texts) for texts in sources.values()):
        raise UsageError(f"{where}: `sources` holds lists of texts, one for each surface")
    meta = given.get("meta") or {}
    group = given.get("group") or meta.get("family") or meta.get("kind") or ""
    source = given.get("source") or name
    id = given.get("id")
    shown = where if id is None else visible(str(id))
    return _Row(
        shown if len(shown) <= _LONGEST_ID else f"{shown[: _LONGEST_ID - 1]}…",
        where,
        _label(given, where),
        surface,
        visible(source)[:200],
        visible(group)[:200] if isinstance(group, str) else "",
        given,
    )


def _is_texts(given: object) -> bool:
    return isinstance(given, list) and all(isinstance(text, str) for text in given)


def _label(given: Mapping[str, object], where: str) -> int | str:
    if "label" not in given or given["label"] is None:
        raise UsageError(f"{where}: it has no `label`")
    label = given["label"]
    if isinstance(label, str):
        if label == label.strip() and 0 < len(label) <= 100 and label.isprintable():
            return label
    elif isinstance(label, int | float) and label in (0, 1):
        return int(label)
    raise UsageError(f"{where}: its `label` is neither 0, 1, true, false nor a name of one line")


# --- lines


def _objects(path: Path) -> Iterator[tuple[int, object]]:
    """Each object of a file and its number."""
    shown = visible(path.name)
    if not path.name.endswith(SUFFIXES):
        known = ", ".join(SUFFIXES)
        raise UsageError(f"`{shown}` is no file of labelled texts: those end in {known}")
    try:
        if not path.is_file() and path.exists():
            raise UsageError(f"`{shown}` is no file")
        with path.open("rb") as file:  # that a file is missing is said before what would read it
            yield from _parquet(file, shown) if path.suffix == ".parquet" else _jsonl(file, path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UsageError(f"`{shown}` is no whole gzip file") from None
    except OSError as error:
        why = (error.strerror or "it is no such file").lower()
        raise UsageError(f"`{shown}` cannot be read: {why}") from None


def _jsonl(file: BinaryIO, path: Path) -> Iterator[tuple[int, object]]:
    shown = visible(path.name)
    lines = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if path.suffix == ".gz" else file
    number = 0
    while line := lines.readline(MOST_LINE + 1):
        number += 1
        if len(line) > MOST_LINE:
            raise UsageError(f"{shown}:{number}: the line is longer than {MOST_LINE >> 20} MB")
        if not line.strip():
            continue
        try:
            given = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            raise UsageError(f"{shown}:{number}: it is not UTF-8") from None
        except (ValueError, RecursionError):
            raise UsageError(f"{shown}:{number}: it is not JSON") from None
        yield number, given


def _parquet(file: BinaryIO, shown: str) -> Iterator[tuple[int, object]]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        advice = "to read it: pip install 'guardkit[parquet]'"
        raise UsageError(f"`{shown}` is Parquet; {advice}") from None
    try:
        batches = parquet.ParquetFile(file).iter_batches(batch_size=_AT_ONCE)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
    except ArrowException:
        raise UsageError(f"`{shown}` is not Parquet") from None
