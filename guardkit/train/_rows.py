"""Labelled texts: one JSON object a line.

There are two forms. A row of a user has a `label`: 0 or 1, or a name. A row of ours has a `truth`,
which says what is known of it head by head; what it does not name is unknown, not no.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from guardkit.diagnostics import nearest, visible
from guardkit.errors import UsageError

SURFACES: Final = ("input", "retrieved", "tool_result", "tool_call", "output", "context")
"""Where a text may have been found; a model knows each by its place here."""
REST: Final = "none"
"""The label of texts that are none of the others."""
MOST_LABELS: Final = 50
_MOST_WEIGHT: Final = 1000.0


class Row(NamedTuple):
    """One labelled text."""

    text: str
    surface: str
    truth: Mapping[str, int]
    """What is known: head -> 1 or 0, or the index of a label."""
    source: str = ""
    """Where it is from. Whole sources are left out to see what a model makes of new ones."""
    group: str = ""
    """The kind of text, for reports."""
    part: str = ""
    """The piece of the text that makes it what it is, if known: a planted instruction."""
    weight: float = 1.0
    licence: str = ""


class Labelled(NamedTuple):
    """The rows of a user's file, and what they are labelled with."""

    rows: tuple[Row, ...]
    labels: tuple[str, ...]
    """Of the head: its own name for labels 0 and 1; else the names in use, `none` first."""


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a JSONL file, plain, `.gz` or `.xz`: each says its `truth`.

    Raises:
        UsageError: The file cannot be read, or a line is no row; the message names it.
    """
    for where, given in _objects(path):
        truth = given.get("truth")
        if not isinstance(truth, dict) or not all(_is_whole(v) for v in truth.values()):
            raise UsageError(f"{where}: a row needs a `truth`: a number for each head it names")
        yield _row(given, {str(name): int(value) for name, value in truth.items()}, where)


def read_labelled(path: Path, head: str, labels: Sequence[str] = ()) -> Labelled:
    """The rows of a user's file: each has a `text` and a `label`.

    Args:
        path: JSONL, plain, `.gz` or `.xz`.
        head: What the labels are of.
        labels: The labels of a head that is trained already: those of a test.

    Raises:
        UsageError: The file cannot be read, a line is no row, or there are too few labels.
    """
    given = [(where, row, _label(row, where)) for where, row in _objects(path)]
    if not given:
        raise UsageError(f"`{visible(path.name)}` holds no texts")
    named = {label for _, _, label in given if isinstance(label, str)}
    if named and any(isinstance(label, int) for _, _, label in given):
        raise UsageError(f"`{visible(path.name)}` mixes labels that are names with 0 and 1")
    known = tuple(labels) or _labels(path, head, named, Counter(label for _, _, label in given))
    rows = []
    for where, row, label in given:
        if isinstance(label, str) and label not in known[len(known) == 1 :]:
            near = nearest(label, known)
            advice = f"did you mean `{near}`?" if near else f"it has {', '.join(known[:12])}"
            raise UsageError(f"{where}: the head has no label `{visible(label)[:40]}`; {advice}")
        if isinstance(label, int) and len(known) > 1:
            raise UsageError(f"{where}: the labels of this head are names")
        index = label if isinstance(label, int) else known.index(label)
        rows.append(_row(row, {head: index}, where))
    return Labelled(tuple(rows), known)


def _labels(path: Path, head: str, named: set[str], counts: Counter[int | str]) -> tuple[str, ...]:
    shown = visible(path.name)
    if len(counts) < 2:
        (only,) = counts
        raise UsageError(f"every label in `{shown}` is {visible(str(only))[:40]}: nothing to learn")
    if not named:
        return (head,)
    if REST not in named:
        raise UsageError(
            f"labels that are names need `{REST}` among them, for texts that are none of the others"
        )
    if len(named) > MOST_LABELS:
        raise UsageError(f"`{shown}` has {len(named)} labels; {MOST_LABELS} are the most")
    return (REST, *sorted(named - {REST}))


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows that `read_rows` reads; how many."""
    count = 0
    with _opened(path, "wt") as lines:
        for row in rows:
            known = {k: v for k, v in row._asdict().items() if v != Row._field_defaults.get(k)}
            lines.write(json.dumps(known, ensure_ascii=False) + "\n")
            count += 1
    return count


# --- lines


def _opened(path: Path, mode: str = "rt") -> IO[str]:
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, mode, encoding="utf-8"))
    if path.suffix == ".xz":
        return cast(IO[str], lzma.open(path, mode, encoding="utf-8"))
    return open(path, mode, encoding="utf-8")


def _objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a file, and how its line is called."""
    shown = visible(path.name)
    try:
        with _opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f"{shown}:{number}"
                    yield where, _object(line.removeprefix("\ufeff"), where)
    except UnicodeDecodeError:
        raise UsageError(f"`{shown}` is not UTF-8") from None
    except OSError as error:
        why = (error.strerror or "it is no such archive").lower()
        raise UsageError(f"`{shown}` cannot be read: {why}") from None
    except (EOFError, lzma.LZMAError):
        raise UsageError(f"`{shown}` cannot be read: it is no whole archive") from None


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{where}: it is not JSON") from None
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        raise UsageError(f"{where}: a row needs a `text`")
    return given


def _label(row: Mapping[str, Any], where: str) -> int | str:
    label = row.get("label")
    if isinstance(label, str) and label == label.strip() and 0 < len(label) <= 100:
        if label.isprintable():
            return label
    elif isinstance(label, int) and label in (0, 1):
        return int(label)
    raise UsageError(f"{where}: a row needs a `label`: 0, 1 or a name of one line")


def _row(given: Mapping[str, Any], truth: Mapping[str, int], where: str) -> Row:
    # `on` is what files of texts to judge say.
    surface = given.get("surface", given.get("on", "input"))
    if surface not in SURFACES:
        near = nearest(surface, SURFACES) if isinstance(surface, str) else None
        advice = f"did you mean `{near}`?" if near else f"surfaces are {', '.join(SURFACES)}"
        raise UsageError(f"{where}: it is of no surface there is; {advice}")
    words = {}
    for name in ("source", "group", "part", "licence"):
        words[name] = given.get(name, "")
        if not isinstance(words[name], str):
            raise UsageError(f"{where}: its `{name}` is no text")
    weight = given.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise UsageError(f"{where}: its `weight` is no number")
    if not isfinite(weight) or not 0 <= weight <= _MOST_WEIGHT:
        raise UsageError(f"{where}: its `weight` is not between 0 and {_MOST_WEIGHT:.0f}")
    return Row(
        given["text"],
        surface,
        truth,
        words["source"],
        words["group"],
        words["part"],
        float(weight),
        words["licence"],
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and abs(value) <= MOST_LABELS
