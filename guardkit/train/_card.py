"""What a trained model says of its making: the card of its manifest, and a page for people."""

from __future__ import annotations

import json
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from guardkit.diagnostics import visible
from guardkit.models import Manifest

from ._folds import sides_of
from ._measure import Measured
from ._rows import Row
from ._target import Target

_MOST_SOURCES: Final = 200
_MOST_SHOWN: Final = 60
_MADE_WITH: Final = ("torch", "numpy", "onnx", "tokenizers")


def digest_of_rows(rows: Sequence[Row]) -> str:
    """`sha256:…` of all that rows say, in their order."""
    made = sha256()
    for row in rows:
        known = row._replace(truth=dict(sorted(row.truth.items())))
        made.update(json.dumps(known).encode() + b"\n")
    return f"sha256:{made.hexdigest()}"


def about_data(rows: Sequence[Row], targets: Sequence[Target]) -> dict[str, Any]:
    """Which texts: their digest, their sources with licences, and how many each head knows."""
    counts = Counter(row.source for row in rows)
    licences: dict[str, set[str]] = {}
    for row in rows:
        licences.setdefault(row.source, set()).update({row.licence} - {""})
    labels: dict[str, dict[str, list[int]]] = {}
    for target in targets:
        for row, side in zip(rows, sides_of(rows, target), strict=True):
            if side is not None:
                found = labels.setdefault(row.source, {}).setdefault(target.name, [0, 0])
                found[side] += 1
    sources = [
        {
            "source": source[:200],
            "licence": ", ".join(sorted(licences[source]))[:200] or None,
            "rows": count,
            # Texts that are not what the head looks for, and texts that are.
            "labels": labels.get(source, {}),
        }
        for source, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
    return {
        "digest": digest_of_rows(rows),
        "rows": len(rows),
        "sources": sources[:_MOST_SOURCES],
        "sources_in_all": len(sources),
    }


def about_heads(heads: Sequence[Measured]) -> dict[str, Any]:
    """How each head was calibrated, as `models calibrate` would write it."""
    found: dict[str, Any] = {}
    for one in heads:
        if one.fitted is None:
            continue
        rest = one.head.rest
        found[one.head.name] = {
            "label": one.head.labels[0] if len(one.head.labels) == 1 else f"not {rest or 'any'}",
            "benign": one.fitted.benign,
            "harmful": one.fitted.harmful,
            "auc": round(one.fitted.auc, 4),
            "recall": {
                f"{rate.rate:g}": round(rate.found / one.fitted.harmful, 4)
                for rate in one.fitted.rates
            },
        }
    return found


def made_with(*more: str) -> dict[str, str]:
    """The versions that took part."""
    found = {
        "guardkit": str(sys.modules["guardkit"].__version__),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    for name in (*_MADE_WITH, *more):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


# --- the page


def page_of(manifest: Manifest, digest: str) -> bytes:
    """The card as Markdown: `README.md` of the model directory."""
    return ("\n".join(_lines(manifest, digest)) + "\n").encode()


def _lines(manifest: Manifest, digest: str) -> Iterator[str]:
    card: Mapping[str, Any] = manifest.card
    yield f"# {manifest.name} {manifest.version}"
    yield ""
    yield f"{_text(manifest.source)}. Licence: {_text(manifest.licence) or 'not said'}."
    yield f"Digest: `{digest}`."
    yield ""
    yield "| head | labels | calibrated | score at 1 % false alarms |"
    yield "|---|---|---|---|"
    for head in manifest.heads:
        score = head.threshold(0.01)
        labels = ", ".join(_text(label) for label in head.labels)
        shown = "" if score is None else f"{score:.4f}"
        yield f"| {head.name} | {labels} | {'yes' if head.fpr else 'no'} | {shown} |"
    for name, found in (card.get("figures") or {}).items():
        yield from _figures(name, found)
    for note in card.get("notes") or ():
        yield f"\nNote: {_text(note)}."
    yield from _data(card.get("data") or {})
    yield ""
    yield "## Making"
    yield ""
    if card.get("command"):
        yield f"`{_text(card['command'])}`"
        yield ""
    with_ = ", ".join(f"{name} {number}" for name, number in card.get("made_with", {}).items())
    yield f"{_text(card.get('validation', ''))}. Seed {card.get('seed')}. Made with {with_}."


def _figures(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    rate = found["rate"]
    stops = "what is likelier than not" if rate is None else f"{rate:.1%} of it"
    yield ""
    yield f"## Head `{name}`"
    yield ""
    score, pool = found["threshold"], _text(found["pool"])
    yield f"One threshold for all, {score:.4f}, fixed on the pool: {pool}."
    yield f"It stops {stops}. In brackets stand intervals of 95 %."
    yield ""
    yield "| source | texts | AUC | found | false alarms |"
    yield "|---|---:|---:|---:|---:|"
    for line in (found["all"], *found["sources"][:_MOST_SHOWN]):
        shares = " | ".join(_share(line.get(key)) for key in ("recall", "false_alarms"))
        auc = f"{line['auc']:.3f}" if "auc" in line else ""
        yield f"| {_text(line['name']) or 'no source'} | {line['rows']} | {auc} | {shares} |"


def _share(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    return f"{found['share']:.1%} ({found['low']:.1%}-{found['high']:.1%}) of {found['of']}"


def _data(data: Mapping[str, Any]) -> Iterator[str]:
    if not data:
        return
    yield ""
    yield "## Data"
    yield ""
    yield f"{data['rows']} texts of {data['sources_in_all']} sources; digest `{data['digest']}`."
    yield ""
    yield "| source | licence | texts |"
    yield "|---|---|---:|"
    for one in data["sources"]:
        licence = _text(one["licence"] or "not said")
        yield f"| {_text(one['source']) or 'no source'} | {licence} | {one['rows']} |"


def _text(value: str) -> str:
    """A text on one line of a table."""
    return visible(value).replace("|", "/").replace("`", "'").replace("<", "‹")
