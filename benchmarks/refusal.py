"""How well `refusal` tells replies apart: `python -m benchmarks.refusal PATH`.

PATH is a file of JSON lines with `text`, `label` (1: it refuses) and `meta.kind`, or such a file
packed with gzip. Rows are split in two by their hash: phrases were tuned on the first half, so only
the figures of the second say anything. Nothing of a text is printed.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections import Counter
from typing import Any, NamedTuple

from guardkit.checks._refusal import LABELS
from guardkit.checks.live._refusal import RefusalReader

from .secrets import rows


class Tally(NamedTuple):
    """What was said of each kind of row."""

    said: dict[tuple[str, int, str, str], Counter[str]]
    seconds: float
    chars: int


def is_held_out(row: dict[str, Any]) -> bool:
    """Whether a row belongs to the half that nobody looked at."""
    return zlib.crc32(row["text"].encode()) % 2 == 1


def tally(path: str, *, held_out: bool) -> Tally:
    """Label every row of one half."""
    reader = RefusalReader()
    said: dict[tuple[str, int, str, str], Counter[str]] = {}
    texts = [row for row in rows(path) if is_held_out(row) == held_out]
    began = time.perf_counter()
    for row in texts:
        meta = row["meta"]
        key = (row["source"], row["label"], meta.get("kind", ""), meta.get("lang") or "")
        label = reader.label_of(row["text"])
        said.setdefault(key, Counter())[label] += 1
    return Tally(said, time.perf_counter() - began, sum(len(row["text"]) for row in texts))


def rates(hits: int, given: int, wanted: int) -> str:
    """Precision, recall and F1."""
    precision, recall = hits / max(given, 1), hits / max(wanted, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return f"precision {precision:.4f}  recall {recall:.4f}  F1 {f1:.4f}  ({wanted} rows)"


def report(result: Tally) -> None:
    """Figures of all sources together, then by source."""
    yes = no = hits = alarms = 0
    for (_, label, _, _), counts in result.said.items():
        refused = sum(n for name, n in counts.items() if name != "none")
        total = sum(counts.values())
        if label:
            yes, hits = yes + total, hits + refused
        else:
            no, alarms = no + total, alarms + refused
    print(f"any refusal: {rates(hits, hits + alarms, yes)}")
    print(f"refusals that give nothing: {_whole(result)}")
    for wanted in ("full", "partial"):
        right = given = rows_ = 0
        for (source, label, kind, _), counts in result.said.items():
            if source.endswith("-synthetic") and label:
                given += counts[wanted]
                if kind == wanted:
                    right, rows_ = right + counts[wanted], rows_ + sum(counts.values())
        print(f"{wanted}, rows with that label: {rates(right, given, rows_)}")
    for (source, label, kind, lang), counts in sorted(result.said.items()):
        line = "  ".join(f"{name} {counts[name]}" for name in LABELS)
        print(f"  {source} {kind} {lang} label {label}: {line}")
    per_kilo = result.seconds / max(result.chars, 1) * 1e9
    print(f"{per_kilo:.1f} µs for 1,000 characters")


def _whole(result: Tally) -> str:
    """`full` and `deflect` alone against rows that refuse in full."""
    hits = given = wanted = 0
    for (_, label, kind, _), counts in result.said.items():
        alone = counts["full"] + counts["deflect"]
        given += alone
        if label and kind != "partial":
            hits, wanted = hits + alone, wanted + sum(counts.values())
    return rates(hits, given, wanted)


def main(arguments: list[str]) -> int:
    """Print the figures."""
    if not arguments:
        print(__doc__)
        return 2
    report(tally(arguments[0], held_out="--tuning" not in arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
