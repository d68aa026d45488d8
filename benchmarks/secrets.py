"""How well `secrets` finds keys: `python -m benchmarks.secrets PATH [CLEAN …]`.

PATH is a file of JSON lines with `text` and `meta.spans`, or such a file packed with gzip. A find
counts when it lies on a span of type API_KEY (or PASSWORD), exactly or in part. CLEAN are files of
texts without secrets: every find in them is a false alarm. Nothing of a text is printed.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import re2

from guardkit.catalog import Hit
from guardkit.checks._secrets import KINDS
from guardkit.checks.live._secrets import SecretsFinder


def rows(path: str) -> Iterator[dict[str, Any]]:
    """The rows of a data file."""
    data = Path(path).read_bytes()
    text = gzip.decompress(data) if path.endswith(".gz") else data
    yield from (json.loads(line) for line in text.decode().split("\n") if line)


class Scan:
    """A finder behind a scan of its own, as the engine has one for all."""

    def __init__(self) -> None:
        self.finder = SecretsFinder("secrets", KINDS)
        options = re2.Options()
        options.max_mem = 512 << 20
        self._set = re2.Set.SearchSet(options)
        for needle in self.finder.needles("plain"):
            self._set.Add(needle)
        self._set.Compile()

    def hits(self, text: str) -> list[Hit]:
        seen = self._set.Match(text.encode("utf-8", "replace"))
        return list(self.finder.find(text, sorted(seen), "plain")) if seen else []


def quality(scan: Scan, path: str, type: str, label: str) -> None:
    """Precision, recall and F1 of one type of span, and false alarms on texts without spans."""
    exact = found = wanted = given = 0
    alarms = clean = 0
    others: Counter[str] = Counter()
    for row in rows(path):
        spans = row["meta"].get("spans") or []
        asked = [(s["start"], s["end"]) for s in spans if s["type"] == type]
        rest = [s for s in spans if s["type"] != type]
        hits = [
            hit
            for hit in scan.hits(row["text"])
            if (hit.label == "PASSWORD") == (type == "PASSWORD")
        ]
        for hit in hits:
            on = [s["type"] for s in rest if s["start"] < hit.end and hit.start < s["end"]]
            others.update(on[:1])
        hits = [h for h in hits if not any(s["start"] < h.end and h.start < s["end"] for s in rest)]
        wanted += len(asked)
        given += len(hits)
        exact += len({(hit.start, hit.end) for hit in hits} & set(asked))
        found += sum(any(s < h.end and h.start < e for h in hits) for s, e in asked)
        if not spans:
            clean += 1
            alarms += bool(hits)
    precision, recall = exact / max(given, 1), exact / max(wanted, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    print(f"{type}: precision {precision:.4f}  recall {recall:.4f}  F1 {f1:.4f}  ({wanted} spans)")
    print(f"  touched {found / max(wanted, 1):.4f}; inside other types: {dict(others)}")
    print(f"  texts without spans: {alarms} of {clean} raise an alarm")


def false_alarms(scan: Scan, path: str) -> None:
    """Finds in texts that hold no secret, by kind."""
    kinds: Counter[str] = Counter()
    texts = chars = alarms = 0
    began = time.perf_counter()
    for row in rows(path):
        if row.get("label"):
            continue
        hits = scan.hits(row["text"])
        texts += 1
        chars += len(row["text"])
        alarms += bool(hits)
        kinds.update(hit.label for hit in hits)
    spent = time.perf_counter() - began
    print(f"{Path(path).name}: {alarms} of {texts} texts ({alarms / max(texts, 1):.3%})", end="  ")
    print(f"{spent / max(chars, 1) * 1e9:.1f} µs for 1,000 characters  {dict(kinds)}")


def main(arguments: list[str]) -> int:
    """Print the figures."""
    if not arguments:
        print(__doc__)
        return 2
    scan = Scan()
    quality(scan, arguments[0], "API_KEY", "API_KEY")
    quality(scan, arguments[0], "PASSWORD", "PASSWORD")
    for path in arguments[1:]:
        false_alarms(scan, path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
