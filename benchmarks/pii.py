"""How well the recognisers of `entities` find labelled personal data: `python -m benchmarks.pii`.

The file is JSONL, gzipped or not: `text`, and in `meta.spans` what was marked, each with `type`,
`start` and `end` in code points. Half of the rows, chosen by a hash of the text, are for tuning.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import re2

from guardkit._util.shares import wilson
from guardkit.catalog import Hit
from guardkit.checks.live.recognisers import ORDER, EntityFinder, recognisers_of

PLATES = ("de_plate", "es_plate", "fr_plate", "it_plate", "nl_plate", "uk_plate")
KINDS_OF: Mapping[str, tuple[str, ...]] = {
    "ADDRESS": ("postal_address",),
    "CREDIT_CARD": ("card",),
    "CRYPTO_ADDRESS": ("crypto_wallet",),
    "DATE_OF_BIRTH": ("date_of_birth",),
    "EMAIL": ("email",),
    "IBAN": ("iban",),
    "IP_ADDRESS": ("ip",),
    "LICENSE_PLATE": PLATES,
    "PASSPORT": ("passport",),
    "PHONE": ("phone",),
    "URL": ("url",),
    "US_SSN": ("us_ssn",),
}
"""The types of the labels that are ours. Names need a model, keys and passwords are no entities."""

ROW_OF = {kind.upper(): type for type, kinds in KINDS_OF.items() for kind in kinds}
LABEL = re.compile("|".join(rf"\[{kind.upper()}\]" for kind in ORDER))


@dataclass
class Tally:
    """Counts for one type of label."""

    right: int = 0
    exact: int = 0
    missed: int = 0
    false: int = 0
    examples: list[str] = field(default_factory=list)


class Search:
    """The finder and the scan in front of it, as the engine joins them."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self.finder = EntityFinder(recognisers_of(kinds))
        options = re2.Options()
        options.max_mem = 256 << 20
        self.set = re2.Set.SearchSet(options)
        for needle in self.finder.needles("plain"):
            self.set.Add(needle)
        self.set.Compile()

    def find(self, text: str) -> Sequence[Hit]:
        """Every find in the text as it stands, without views."""
        seen = self.set.Match(text.encode())
        return self.finder.find(text, seen, "plain") if seen else ()


def redact(text: str, hits: Iterable[Hit]) -> str:
    """The text with every find replaced by its label; finds that overlap become one."""
    parts, reached, label = [], 0, ""
    for hit in hits:
        if hit.start >= reached:
            parts.append(text[reached : hit.start])
            label = hit.label
            parts.append(f"[{label}]")
        reached = max(reached, hit.end)
    return "".join([*parts, text[reached:]])


def f1_interval(right: int, wrong: int) -> tuple[float, float]:
    """F1 is 2J / (1 + J) for J, the share of right ones among right, missed and false together."""
    low, high = wilson(right, right + wrong)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def is_for_tuning(text: str) -> bool:
    """Half of all texts, whatever their order."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % 2 == 0


def rows(path: Path, half: str) -> Iterator[tuple[str, list[tuple[str, int, int]]]]:
    """Texts with their labels."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if half == "all" or is_for_tuning(row["text"]) == (half == "tuning"):
                spans = row.get("meta", {}).get("spans", [])
                yield row["text"], [(s["type"], s["start"], s["end"]) for s in spans]


def overlaps(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two stretches share at least half of what they cover together."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    return shared > 0 and 2 * shared >= max(a[1], b[1]) - min(a[0], b[0])


def score(
    text: str, spans: list[tuple[str, int, int]], hits: Sequence[Hit], into: dict[str, Tally]
) -> Counter[str]:
    """Count one text; what is found beside the labelled types comes back."""
    others: Counter[str] = Counter()
    left = [(ROW_OF[h.label], h.start, h.end) for h in hits if h.label in ROW_OF]
    others.update(h.label for h in hits if h.label not in ROW_OF)
    for type, start, end in spans:
        if type not in KINDS_OF:
            continue
        tally = into[type]
        fit = next((h for h in left if h[0] == type and overlaps(h[1:], (start, end))), None)
        if fit is None:
            tally.missed += 1
            tally.examples.append(f"missed {text[max(0, start - 30) : end + 12]!r}")
        else:
            left.remove(fit)
            tally.right += 1
            tally.exact += fit[1:] == (start, end)
            if fit[1:] != (start, end):
                tally.examples.append(f"partly {text[fit[1] : fit[2]]!r} of {text[start:end]!r}")
    for type, start, end in left:
        into[type].false += 1
        into[type].examples.append(f"false {text[max(0, start - 30) : end + 12]!r}")
    return others


def line(type: str, tally: Tally) -> str:
    """One row of the table, in 80 columns."""

    def share(part: int, of: int, interval: tuple[float, float]) -> str:
        return f"{part / of if of else 0:.3f} {interval[0]:.3f}-{interval[1]:.3f}"

    right, found, there = tally.right, tally.right + tally.false, tally.right + tally.missed
    cells = (
        share(right, found, wilson(right, found)),
        share(right, there, wilson(right, there)),
        share(2 * right, found + there, f1_interval(right, tally.false + tally.missed)),
    )
    exact = tally.exact / right if right else 0
    return f"{type.lower():<14}{there:>5} {' '.join(cells)} {exact:.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a redacted text still shows a find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--half", choices=("tuning", "held-out", "all"), default="held-out")
    parser.add_argument("--show", type=int, default=0, help="examples of mistakes a type")
    chosen = parser.parse_args(arguments)
    search = Search(ORDER)
    tallies = {type: Tally() for type in KINDS_OF}
    others: Counter[str] = Counter()
    texts = alarms = left_over = finds = uncovered = 0
    for text, spans in rows(chosen.path, chosen.half):
        hits = search.find(text)
        others += score(text, spans, hits, tallies)
        texts += 1
        finds += len(hits)
        alarms += bool(hits) and not spans
        redacted = redact(text, hits)
        covered = {at for hit in hits for at in range(hit.start, hit.end)}
        kept = "".join(char for at, char in enumerate(text) if at not in covered)
        uncovered += len(LABEL.sub("", redacted)) - len(LABEL.sub("", kept))
        still = {hit.label for hit in search.find(redacted)}
        left_over += bool(still.intersection(hit.label for hit in hits))
    print(f"{chosen.half} half: {texts} texts, {finds} finds\n")
    heads = " ".join(f"{name:<17}" for name in ("precision 95 %", "recall 95 %", "F1 95 %"))
    print(f"{'type':<14}{'n':>5} {heads} exact")
    for type, tally in sorted(tallies.items()):
        print(line(type, tally))
        for example in tally.examples[: chosen.show]:
            print(f"    {example}")
    print(f"\ntexts without labels that have a find: {alarms}")
    beside = ", ".join(f"{kind} {n}" for kind, n in others.most_common(5)) or "none"
    print(f"finds of kinds without a label: {beside}")
    print(f"characters of finds that a redaction leaves: {uncovered}")
    print(f"redacted texts in which a rescan finds the same kind: {left_over}")
    return 1 if left_over or uncovered else 0


if __name__ == "__main__":
    sys.exit(main())
