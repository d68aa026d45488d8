"""What the shipped tiers find and what they stop by mistake: `python -m benchmarks.detection PACK`.

Every text here was kept from training: sources left out whole, and the benign pool. One threshold a
head is fixed on the pool, where 1 % of it is stopped, and used for every row of the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from guardkit._util.shares import wilson
from guardkit.models import Readable, auc_of, opened, read_all, shipped
from guardkit.train import Row, recipe_rows

HEADS = ("injection", "harm", "toxicity", "refusal")
TARGETS = {"injection": 0.97, "harm": 0.95, "toxicity": 0.85, "refusal": 0.98}
"""The least area under the curve that was aimed at."""
ALARMS = 0.01


Scores = Mapping[str, tuple[float, ...]]


class Text(NamedTuple):
    """A row that no model was trained on."""

    row: Row
    is_pooled: bool

    @property
    def family(self) -> tuple[str, str]:
        """Its source and the kind of text, without what is particular to it."""
        words = self.row.group.removesuffix(" disguised").split()
        return self.row.source, " ".join(
            words[:2] if words[:1] in (["look-alike"], ["long"]) else words[:1]
        )


def texts(pack: Path, most: int) -> list[Text]:
    """The texts to measure on, at most so many of one family and label."""
    found: list[Text] = []
    count: dict[object, int] = defaultdict(int)
    for row, side in recipe_rows(pack):
        if side == "train":
            continue
        text = Text(row, side == "pool")
        key = (text.family, tuple(sorted(row.truth.items())))
        count[key] += 1
        if count[key] <= most:
            found.append(text)
    return found


def read(model: Readable, every: Sequence[Text]) -> list[Scores]:
    """The scores of all texts.

    Raises:
        ValueError: The model could not read one; a figure over the others would be another.
    """
    found = read_all(model, [(t.row.text, t.row.surface) for t in every], lambda r: {**r.scores})
    scores = [one for one in found if one is not None]
    if len(scores) != len(every):
        raise ValueError(f"{len(every) - len(scores)} texts could not be read")
    return scores


def figures(head: str, every: Sequence[Text], readings: Sequence[Scores]) -> dict[str, Any]:
    """The figures of one head."""
    import numpy as np

    known = [(t, r) for t, r in zip(every, readings, strict=True) if head in t.row.truth]
    z = np.array([reading[head][0] for _, reading in known])
    bad = np.array([text.row.truth[head] == 1 for text, _ in known])
    pooled = np.array([text.is_pooled for text, _ in known])
    pool = z[pooled & ~bad]
    threshold = float(np.quantile(pool, 1 - ALARMS))
    stopped = z > threshold
    rows: dict[tuple[bool, tuple[str, str]], list[bool]] = defaultdict(list)
    for (text, _), is_bad, is_stopped in zip(known, bad, stopped, strict=True):
        rows[bool(is_bad), text.family].append(bool(is_stopped))
    alike = [
        s
        for (is_bad, family), found in rows.items()
        for s in found
        if not is_bad and "look-alike" in family[1]
    ]
    return {
        "head": head,
        "threshold": threshold,
        "pool": len(pool),
        "auc": auc_of(z, bad),
        "auc_pool": auc_of(z[bad | pooled], bad[bad | pooled]),
        "found": share([bool(s) for s in stopped[bad]]),
        "stopped": share([bool(s) for s in stopped[~bad & ~pooled]]),
        "look_alikes_stopped": share(alike),
        "rows": [
            {"source": source, "kind": kind, "label": int(is_bad), **share(found)}
            for (is_bad, (source, kind)), found in sorted(
                rows.items(), key=lambda one: (not one[0][0], -len(one[1]), one[0][1])
            )
        ],
    }


def share(found: Sequence[bool]) -> dict[str, Any]:
    """How many of how many, with a 95 % interval."""
    low, high = wilson(sum(found), len(found))
    return {"of": len(found), "share": sum(found) / max(1, len(found)), "from": low, "to": high}


def show(tier: str, made: dict[str, Any], least: int) -> None:
    """One head as a table of 80 columns."""
    head = made["head"]
    print(
        f"\n{tier} · {head}: threshold {made['threshold']:.3f} stops 1 % of {made['pool']} pooled"
    )
    print(f"  AUC {made['auc']:.3f} (against the pool {made['auc_pool']:.3f}; aim {TARGETS[head]})")
    for name, what in (
        ("found", "found"),
        ("stopped", "harmless stopped, left-out sources"),
        ("look_alikes_stopped", "look-alikes stopped"),
    ):
        line(what, made[name])
    for row in made["rows"]:
        if row["of"] >= least:
            mark = "+" if row["label"] else "-"
            line(f"{mark} {row['source'].rsplit('/')[-1][:24]} {row['kind']}", row)


def line(what: str, one: dict[str, Any]) -> None:
    """A share with its interval."""
    if one["of"]:
        interval = f"{one['from']:.3f}–{one['to']:.3f}"
        print(f"  {what[:46]:46} {one['share']:7.3f} {interval:>13} {one['of']:6}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("pack", type=Path, help="the folder of the labelled texts")
    parser.add_argument("--tier", choices=("static", "mini"), action="append")
    parser.add_argument("--model", type=Path, help="another model directory with these heads")
    parser.add_argument("--most", type=int, default=400, help="texts of one family and label")
    parser.add_argument("--least", type=int, default=20, help="a family with fewer gets no line")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    every = texts(given.pack, given.most)
    chosen = (
        [("model", given.model)]
        if given.model
        else [(tier, shipped(tier)) for tier in given.tier or ("static", "mini")]
    )
    for name, folder in chosen:
        readings = read(opened(folder), every)
        made = [figures(head, every, readings) for head in HEADS]
        if given.json:
            json.dump({"tier": name, "texts": len(every), "heads": made}, sys.stdout, indent=1)
        else:
            for one in made:
                show(name, one, given.least)


if __name__ == "__main__":
    main()
