"""`models calibrate`: labelled texts are read by a model, and a head of it is fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from guardkit.diagnostics import nearest, visible
from guardkit.errors import UsageError

from ._fit import Fitted, Seen, fit
from ._manifest import Head, Manifest
from ._read_all import Readable, read_all
from ._reading import Reading
from ._store import replace_manifest


class Labelled(NamedTuple):
    """One text, whether it is what a head looks for, and the surface it came by."""

    text: str
    is_harmful: bool
    surface: str = "input"


class Calibrated(NamedTuple):
    """What a calibration came to, and the digest the model has now."""

    digest: str
    fitted: Fitted
    label: str
    unread: int
    """Rows that the model could not read; they count for nothing."""


def calibrate(
    model: Readable,
    folder: Path,
    rows: Sequence[Labelled],
    *,
    head: str | None = None,
    label: str | None = None,
    told: Callable[[int], None] | None = None,
) -> Calibrated:
    """Fit a head of a model to labelled texts, and write its manifest anew.

    Args:
        model: A model that is open: `opened(folder)`. It stays as it is; who opens the directory
            after this gets the new one.
        folder: Its directory. What is open may have been opened from a copy.
        rows: Labelled texts.
        head: Which head; may be left out where there is one.
        label: What the rows are labelled for; may be left out for a head of one label, and means
            every label but `rest` for a head that has one.
        told: Called with the number of rows read so far.

    Raises:
        BindError: The manifest cannot be written.
        UsageError: There is no such head or label, or the rows do not suffice.
    """
    manifest = model.manifest
    chosen = head_of(manifest, head)
    wanted, shown = _columns(chosen, label)

    texts = [(row.text, row.surface) for row in rows]
    readings = read_all(model, texts, lambda reading: reading, told)
    seen = list(_seen(zip(rows, readings, strict=True), chosen, wanted))
    fitted = fit(chosen, seen)
    made = _with_head(manifest, fitted, shown)
    return Calibrated(replace_manifest(folder, made), fitted, shown, len(rows) - len(seen))


def head_of(manifest: Manifest, name: str | None) -> Head:
    """The head of this name, or the only one.

    Raises:
        UsageError: There is none such.
    """
    names = [head.name for head in manifest.heads]
    if not names:
        raise UsageError("the model has no heads: nothing to calibrate")
    if name is None:
        if len(names) > 1:
            raise UsageError(f"which head? `--head` with one of {', '.join(names)}")
        return manifest.heads[0]
    found = manifest.head(name)
    if found is None:
        near = nearest(name, names)
        advice = f"did you mean `{near}`?" if near else f"it has {', '.join(names)}"
        raise UsageError(f"the model has no head `{visible(name)}`; {advice}")
    return found


def _columns(head: Head, label: str | None) -> tuple[tuple[int, ...], str]:
    """Which labels count as a hit, and how that is said."""
    if label is not None:
        if label not in head.labels:
            near = nearest(label, head.labels)
            advice = f"did you mean `{near}`?" if near else f"it has {', '.join(head.labels[:12])}"
            raise UsageError(f"head `{head.name}` has no label `{visible(label)}`; {advice}")
        return (head.labels.index(label),), label
    if head.rest is not None:
        others = tuple(i for i, name in enumerate(head.labels) if name != head.rest)
        return others, f"not {head.rest}"
    if len(head.labels) == 1:
        return (0,), head.labels[0]
    raise UsageError(f"which label? `--label` with one of {', '.join(head.labels[:12])}")


def _seen(
    pairs: Iterable[tuple[Labelled, Reading | None]], head: Head, columns: tuple[int, ...]
) -> Iterable[Seen]:
    for row, reading in pairs:
        if reading is None:
            continue
        z = max(reading.evidence[head.name][i] for i in columns)
        if isfinite(z):
            yield Seen(z, reading.windows, row.is_harmful)


def _with_head(manifest: Manifest, fitted: Fitted, label: str) -> Manifest:
    """The manifest with a calibrated head, and with what it was calibrated on in its card."""
    heads = tuple(fitted.head if h.name == fitted.head.name else h for h in manifest.heads)
    facts: dict[str, JsonValue] = {
        "label": label,
        "benign": fitted.benign,
        "harmful": fitted.harmful,
        "auc": round(fitted.auc, 4),
        "recall": {
            f"{rate.rate:g}": round(rate.found / fitted.harmful, 4) for rate in fitted.rates
        },
    }
    known = manifest.card.get("calibration")
    calibration: dict[str, JsonValue] = dict(known) if isinstance(known, dict) else {}
    calibration[fitted.head.name] = facts
    card = {**manifest.card, "calibration": calibration}
    return manifest.model_copy(update={"heads": heads, "card": card})
