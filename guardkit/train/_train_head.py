"""`train_head()`: labelled texts become a static model directory, in seconds for a few thousand.

Six trainings: one for each part of the texts that is left out, to see what a head makes of what it
was not trained on, and one on all of them, which is what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guardkit.errors import UsageError

from ._bag import Corpus
from ._card import about_data, about_heads, made_with
from ._draft import Draft, Trained, plain_name, refuse_taken
from ._extra import need
from ._figures import Figures
from ._folds import Folds, folds
from ._measure import Measured, Said, Told, judged, measured, part_of, said_of, seen_of
from ._rows import Row
from ._static import (
    Base,
    bag_of,
    base_of,
    embedding_of,
    files_of,
    plan_for,
    window,
)
from ._target import Target


def train_head(
    rows: Sequence[Row],
    out: Path,
    *,
    targets: Sequence[Target] = (),
    test: Sequence[Row] = (),
    base: Path | None = None,
    steps: int | None = None,
    seed: int = 0,
    licence: str = "",
    command: str = "",
    force: bool = False,
    told: Told | None = None,
) -> Trained:
    """Train heads on the static tier, and write them as a model directory.

    The same rows, seed and versions give the same directory, to the byte.

    Args:
        rows: Labelled texts.
        out: The directory. Its name is that of the model.
        targets: The heads; if none is given, every name of a truth is one, of 0 or 1.
        test: Texts that are trained on by nobody, to measure with.
        base: A static model that has a table; the one that ships, if none is given. A model on
            that one names it, any other holds all it needs.
        steps: Batches of a training; by the number of texts, if none are given.
        seed: Of all that is left to chance.
        licence: Of the model.
        command: What was typed, for the card.
        force: Whether a model directory may be replaced.
        told: Called with what is being done, and which part of it is.

    Raises:
        BindError: Something is missing on this machine, or the directory cannot be written.
        UsageError: The texts are too few, or say too little.
    """
    need("torch")
    refuse_taken(out, force=force)
    targets = tuple(targets) or targets_of(rows)
    parts = folds(rows, targets)
    begun = base_of(base)
    plan = plan_for(len(rows))
    plan = plan._replace(steps=steps or plan.steps)
    corpus = Corpus(rows, begun.pieces_of)
    source = f"a head on the static tier, trained on {len(rows)} labelled texts"

    def trained(what: str, indexes: Sequence[int]) -> Draft:
        arrays = bag_of(
            corpus,
            rows,
            indexes,
            targets,
            begun,
            shares=shares_of(targets),
            plan=plan,
            seed=seed,
            told=part_of(told, what),
        )
        return _draft(out, begun, arrays, licence, source)

    said: list[Said | None] = [None] * len(rows)
    for fold in range(parts.parts):
        inside = parts.within(fold)
        draft = trained(f"without part {fold + 1} of {parts.parts}", parts.without(fold))
        with draft.tried(targets) as folder:
            for at, one in zip(inside, said_of(folder, [rows[at] for at in inside]), strict=True):
                said[at] = one
    pool = pool_of(parts)
    heads = [measured(target, rows, said, pool=pool) for target in targets]
    notes = [*_notes(parts, said), *(note for one in heads for note in one.notes)]
    if all(one.fitted is None for one in heads):
        raise UsageError(notes[-1])
    draft = trained("on all texts", range(len(rows)))
    tests = tested(draft, targets, heads, test)
    card = card_of(rows, targets, heads, tests, notes)
    card |= {"command": command, "seed": seed, "steps": plan.steps, "batch": plan.batch}
    card["validation"] = _validation(parts)
    return draft.written(out, heads, card, notes=notes, tests=tests, force=force)


def targets_of(rows: Sequence[Row]) -> tuple[Target, ...]:
    """Every head that the truths of these rows name, of one label each.

    Raises:
        UsageError: A truth is neither 0 nor 1: what it means is not said.
    """
    names = sorted({name for row in rows for name in row.truth})
    for name in names:
        if any(row.truth.get(name, 0) not in (0, 1) for row in rows):
            raise UsageError(f"head `{name}` has other truths than 0 and 1: give its labels")
    if not names:
        raise UsageError("the rows name no head")
    return tuple(Target(name, at, (name,)) for at, name in enumerate(names))


def target_of(head: str, labels: Sequence[str]) -> Target:
    """The head of a user's file: one label, or several of which the first is for the rest."""
    return Target(head, 0, tuple(labels), "sigmoid" if len(labels) == 1 else "softmax")


def shares_of(targets: Sequence[Target]) -> Mapping[tuple[str, int], float]:
    """As many texts that a head looks for as others, and as many of each head."""
    return {(target.name, kind): 0.5 / len(targets) for target in targets for kind in (0, 1)}


def tested(
    draft: Draft, targets: Sequence[Target], heads: Sequence[Measured], test: Sequence[Row]
) -> dict[str, Figures]:
    """What calibrated heads come to on other texts, at the thresholds they have."""
    if not test:
        return {}
    with draft.tried(targets) as folder:
        said = said_of(folder, test)
    found = {}
    for target, one in zip(targets, heads, strict=True):
        seen = seen_of(target, test, said)
        if seen:
            found[target.name] = judged(one.head, test, seen, one.figures.threshold)
    return found


def card_of(
    rows: Sequence[Row],
    targets: Sequence[Target],
    heads: Sequence[Measured],
    tests: Mapping[str, Figures],
    notes: Sequence[str],
) -> dict[str, Any]:
    """What every card says."""
    return {
        "data": about_data(rows, targets),
        "figures": {one.head.name: one.figures.dumped() for one in heads},
        "test": {name: found.dumped() for name, found in tests.items()},
        "calibration": about_heads(heads),
        "notes": [*notes],
        "made_with": made_with(),
    }


def _draft(out: Path, base: Base, arrays: Mapping[str, Any], licence: str, source: str) -> Draft:
    return Draft(
        plain_name(out),
        "static",
        window(),
        files_of(base, arrays),
        embedding_of(base),
        "static" if base.is_shipped else None,
        licence,
        source,
    )


def pool_of(parts: Folds) -> str:
    """What the benign texts are called that fix the threshold of a user's head."""
    without = "their source" if parts.by == "source" else "them"
    return f"all benign texts, read by a model that was trained without {without}"


def _validation(parts: Folds) -> str:
    if parts.by == "source":
        return f"{parts.parts} parts of whole sources were left out in turn"
    return f"{parts.parts} parts of single texts were left out in turn"


def _notes(parts: Folds, said: Sequence[Said | None]) -> list[str]:
    notes = []
    if parts.by == "text":
        notes.append(
            "texts were left out by chance and not by source: expect less of texts from elsewhere"
        )
    unread = sum(one is None for one in said)
    if unread:
        notes.append(f"{unread} texts could not be read and count for nothing")
    return notes
