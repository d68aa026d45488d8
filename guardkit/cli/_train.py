"""`guardkit train`: labelled texts become a model directory, with figures one can believe."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from guardkit.diagnostics import visible
from guardkit.errors import BindError, UsageError
from guardkit.train import (
    Figures,
    Line,
    Row,
    Trained,
    make_tiers,
    plain_name,
    read_labelled,
    target_of,
    train_encoder,
    train_head,
)

from ._exits import CLEAN, WRONG
from ._moving_line import bar
from ._screen import Screen, screen
from ._verbs import FORMAT, verb

_MOST_SOURCES = 30
_NAME = 26
_WIDTH = 80

_Told = Callable[[str, float], None]


@verb("train")
@click.argument("data", required=False, type=click.Path(path_type=Path), metavar="[DATA]")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR")
@click.option("--head", metavar="NAME", help="The head; called like DIR when left out.")
@click.option(
    "--test",
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="Texts to measure with; nothing is trained on them.",
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path),
    metavar="WEIGHTS",
    help="Tune this sentence encoder, a safetensors file with its tokenizer.json beside it.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, 1440, min_open=True),
    metavar="N",
    help="How long to tune an encoder.",
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    metavar="PACK",
    help="Make the tiers that ship, from the folder of their texts.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The sentence encoder the recipe begins with.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, metavar="N", help="0 if none."
)
@click.option("--licence", default="", metavar="TEXT", help="The licence of the model.")
@click.option("--force", is_flag=True, help="Replace a model directory that is there.")
@FORMAT
def command(
    data: Path | None,
    out: Path,
    head: str | None,
    test: Path | None,
    encoder: Path | None,
    minutes: float | None,
    recipe: Path | None,
    weights: Path | None,
    seed: int,
    licence: str,
    force: bool,
    format: str,
) -> int:
    """Make DIR, a model directory, of labelled texts.

    DATA is JSONL, plain, .gz or .xz: `text` and `label`, which is 0 or 1, or a name (`none` for
    texts that are none of the others). A row may have `surface`, `source`, `group`, `part` (the
    piece of the text that makes it what it is) and `licence`.

    A head on the static tier takes seconds for a few thousand texts; `--encoder` tunes a larger
    model, for minutes or hours. Whole sources are left out to see what the model makes of new ones,
    and what it says of them calibrates it. The digest of DIR goes to standard output.
    """
    show = screen()
    told = _progress(show) if show.progress else None
    try:
        if recipe is not None or weights is not None:
            _refuse(
                "`--recipe PACK` needs `--weights FILE`, and nothing else",
                recipe is None or weights is None,
                *(given is not None for given in (data, head, test, encoder)),
            )
            assert recipe is not None
            assert weights is not None
            made: tuple[Trained, ...] = make_tiers(
                recipe,
                out,
                weights=weights,
                seed=seed,
                force=force,
                command=_typed(),
                told=told,
                minutes=minutes,
            )
        else:
            _refuse("`--minutes` is for `--encoder`", minutes is not None and encoder is None)
            made = (_trained(data, out, head, test, encoder, minutes, seed, licence, force, told),)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
        return WRONG
    if format == "json":
        found = [_json(one) for one in made]
        show.out.write(json.dumps(found if recipe else found[0], indent=2) + "\n")
        return CLEAN
    for one in made:
        for line in _lines(one):
            show.say(line)
        show.out.line(one.digest)
    return CLEAN


def _refuse(why: str, *reasons: bool) -> None:
    if any(reasons):
        raise UsageError(why)


def _trained(
    data: Path | None,
    out: Path,
    head: str | None,
    test: Path | None,
    encoder: Path | None,
    minutes: float | None,
    seed: int,
    licence: str,
    force: bool,
    told: _Told | None,
) -> Trained:
    if data is None:
        raise UsageError("what to train on? give DATA, or `--recipe PACK`")
    name = head if head is not None else plain_name(out)
    if plain_name(Path(name)) != name:
        raise UsageError(f"`{visible(name)[:60]}` is no name for a head: letters, digits, `-._`")
    known = read_labelled(data, name)
    tests: tuple[Row, ...] = read_labelled(test, name, known.labels).rows if test else ()
    targets = (target_of(name, known.labels),)
    if encoder is None:
        return train_head(
            known.rows,
            out,
            targets=targets,
            test=tests,
            seed=seed,
            licence=licence,
            command=_typed(),
            force=force,
            told=told,
        )
    return train_encoder(
        known.rows,
        out,
        weights=encoder,
        minutes=minutes or 30.0,
        targets=targets,
        test=tests,
        seed=seed,
        licence=licence,
        command=_typed(),
        force=force,
        told=told,
    )


def _typed() -> str:
    """What was typed, without where it was typed: a card names files and no folders."""
    words = []
    given = iter(sys.argv[1:])
    for word in given:
        if word == "--out":
            next(given, None)
        elif word not in ("--force", "-q", "--quiet", "--no-progress"):
            words.append(word if word.startswith("--out=") else Path(word).name)
    return shlex.join(["guardkit", *(word for word in words if not word.startswith("--out="))])


def _progress(show: Screen) -> _Told:
    """A bar on one line; what is done is replaced by what is done next."""
    last: list[object] = [None]

    def told(what: str, part: float) -> None:
        percent = int(100 * part)
        if last[0] == (what, percent):
            return
        last[0] = (what, percent)
        show.err.write(f"\r{what:<36.36} {bar(part)} {percent:>3} %" + ("\n" if part >= 1 else ""))
        show.err.file.flush()

    return told


# --- for people


def _lines(made: Trained) -> Iterator[str]:
    yield ""
    yield from _wrapped(f"wrote {visible(made.folder.as_posix())}: {visible(made.manifest.source)}")
    for one in made.heads:
        yield ""
        threshold = one.figures.threshold
        stops = "" if threshold.rate is None else f", which stops {threshold.rate:.1%} of"
        yield f"head {one.head.name}: one threshold for all, {threshold.score:.4f}{stops}"
        yield from _wrapped(threshold.pool, "  ")
        yield from _table(one.figures)
        tested = made.tests.get(one.head.name)
        if tested is not None:
            yield ""
            yield "texts of `--test`:"
            yield from _table(tested)
    for note in made.notes:
        yield from _wrapped(f"note: {note}")
    yield ""


def _wrapped(text: str, before: str = "") -> list[str]:
    return wrap(text, _WIDTH, initial_indent=before, subsequent_indent="  ")


def _table(found: Figures) -> Iterator[str]:
    title = "source"
    yield f"{title:<{_NAME}} {'texts':>6} {'AUC':>6} {'found':>19} {'false alarms':>19}"
    for line in (found.whole, *found.sources[:_MOST_SOURCES]):
        auc = "" if line.auc is None else f"{line.auc:.3f}"
        shares = f"{line.recall.shown:>19} {line.alarms.shown:>19}"
        yield f"{_named(line)} {line.rows:>6} {auc:>6} {shares}".rstrip()
    if len(found.sources) > _MOST_SOURCES:
        yield f"… and {len(found.sources) - _MOST_SOURCES} more sources: the card has them"


def _named(line: Line) -> str:
    name = visible(line.name) or "no source"
    return f"{name if len(name) <= _NAME else name[: _NAME - 1] + '…':<{_NAME}}"


# --- for programs


def _json(made: Trained) -> dict[str, Any]:
    card: Mapping[str, Any] = made.manifest.card
    parts = ("figures", "test", "calibration", "validation", "data", "seed")
    return {
        "digest": made.digest,
        "name": made.manifest.name,
        "path": made.folder.as_posix(),
        "kind": made.manifest.kind,
        "heads": [head.model_dump(mode="json") for head in made.manifest.heads],
        **{name: card[name] for name in parts if name in card},
        "notes": list(made.notes),
    }
