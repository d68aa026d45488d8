"""`guardkit probe`: attacks in disguises against a policy or a deployment, and who stops what."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

import click

from guardkit.diagnostics import nearest, visible
from guardkit.errors import BindError, PolicyError, UsageError
from guardkit.layers import (
    Choice,
    CrewError,
    Figures,
    Probe,
    Setting,
    Suite,
    chosen_disguises,
    chosen_splits,
    cores,
    load_suite,
    probe_html,
    shipped_families,
)

from ._exits import CLEAN, FINDINGS, INTERRUPTED, NOTHING, UNJUDGED, WRONG
from ._findings import show_frames
from ._moving_line import MovingLine, bar
from ._policies import OVERLAY, PARAM, STD, Params
from ._probe_junit import probe_junit
from ._probe_report import report_lines
from ._screen import Screen, screen
from ._verbs import verb
from ._weights import refuse_idle
from ._write import write_or_complain

_FIGURES: Final = ("leaked", "over_refusal", "cases_leaked", "adaptive")
_MOST_BROKEN: Final = 10
_MOST_ALONE: Final = 2
"""Processes for a policy alone, where nobody says how many: it is bound in each of them."""


class Gate(NamedTuple):
    """A rate and the bound it has to keep."""

    family: str
    """Empty: of all of them."""
    figure: str
    bound: float

    @property
    def name(self) -> str:
        """As it is typed."""
        return f"{self.family}:{self.figure}" if self.family else self.figure

    def rate(self, figures: Figures) -> float | None:
        """What it came to; None where nothing was tried."""
        if self.figure == "adaptive":
            return None if figures.adaptive is None else figures.adaptive.with_static.value
        if self.figure == "cases_leaked":
            return figures.cases_leaked.value
        of = figures if not self.family else figures.group(self.family)
        if of is None:
            return None
        return of.leaked.value if self.figure == "leaked" else of.over_refusal.value


def _gates(
    _context: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> tuple[Gate, ...]:
    """Reads `leaked=5%`, `over_refusal=0.02` and `many_shot:leaked=10%`."""
    gates = []
    for text in given:
        named, _, written = text.partition("=")
        family, _, figure = named.rpartition(":")
        if figure not in _FIGURES or (family and figure not in _FIGURES[:2]):
            near = nearest(figure, _FIGURES)
            advice = f"did you mean `{near}`?" if near else f"figures are {', '.join(_FIGURES)}"
            if figure in _FIGURES:
                advice = f"a family has {' and '.join(_FIGURES[:2])}"
            raise click.BadParameter(f"`{visible(text)}` names no figure; {advice}", param=param)
        try:
            is_percent = written.endswith("%")
            bound = float(written.removesuffix("%")) / (100 if is_percent else 1)
        except ValueError:
            bound = -1.0
        if not 0 <= bound <= 1:
            why = "a bound is between 0 and 1, or 0% and 100%"
            raise click.BadParameter(f"`{visible(text)}`: {why}", param=param)
        gates.append(Gate(family, figure, bound))
    return tuple(gates)


@verb("probe")
@click.argument("policy", metavar="FILE", required=False)
@click.option("--list", "lists", is_flag=True, help="Show the families that ship, and end.")
@click.option(
    "--suite",
    "families",
    multiple=True,
    metavar="NAME",
    help="A family that ships; repeat for more. All of them if none is named.",
)
@click.option(
    "--cases",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A case file of your own; repeat for more.",
)
@click.option(
    "--disguise",
    "disguises",
    multiple=True,
    metavar="NAME",
    help="A disguise, all, chains, plain or none; repeat for more.",
)
@click.option("--disguise-benign", is_flag=True, help="Disguise and split benign cases too.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="none, turns2, turns3, parts2; none and turns2 if not given.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Make N trials, drawn evenly."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, metavar="N", help="0 if none."
)
@click.option("--model", metavar="MODULE:CALLABLE", help="The model behind the policy.")
@click.option("--base-url", metavar="URL", help="A server with chat completions, up to /v1.")
@click.option("--model-name", default="default", metavar="NAME", help="Its model.")
@click.option("--key-env", metavar="VAR", help="The variable that holds its key.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Calls a second."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    metavar="SECONDS",
    help="How long one reply may take; 60 if not given.",
)
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Processes.")
@click.option(
    "--adaptive",
    type=click.IntRange(1, 10_000),
    default=None,
    metavar="N",
    help="Search for a way through where none leaked: N queries a case.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="PATH", help="Write every trial as it ends."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the file of --out; what could not be judged is tried again.",
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The file of an earlier run: what got better or worse.",
)
@click.option(
    "--fail-over",
    "gates",
    multiple=True,
    callback=_gates,
    metavar="[FAMILY:]FIGURE=N",
    help="Exit with 1 if it is higher: leaked or over_refusal, of a family too; cases_leaked; "
    "adaptive. Repeat for more.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="PATH", help="Write a report to read."
)
@click.option(
    "--junit", type=click.Path(path_type=Path), metavar="PATH", help="Write a JUnit report."
)
@click.option("--show-values", is_flag=True, help="Show texts, and write them to --out.")
@PARAM
@click.option(
    "--packs",
    type=click.Path(path_type=Path),
    metavar="STORE",
    help="Add the packs that are installed in STORE; see `guardkit packs`.",
)
@OVERLAY
@STD
def command(
    policy: str | None,
    lists: bool,
    families: tuple[str, ...],
    files: tuple[Path, ...],
    disguises: tuple[str, ...],
    disguise_benign: bool,
    splits: tuple[str, ...],
    limit: int | None,
    seed: int,
    model: str | None,
    base_url: str | None,
    model_name: str,
    key_env: str | None,
    rate: float | None,
    timeout: float,
    workers: int | None,
    adaptive: int | None,
    out: Path | None,
    resume: bool,
    compare: Path | None,
    gates: tuple[Gate, ...],
    as_json: bool,
    html: Path | None,
    junit: Path | None,
    show_values: bool,
    params: Params,
    packs: Path | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Probe a policy, or a deployment, with attacks and with benign look-alikes.

    FILE is a policy or the name of one that ships. Alone, it is judged what gets past it; with
    --model or --base-url the model is asked too, and what the user would see is looked at.

    Attacks are tried as they are, in 40 disguises and over two turns; benign cases as they are.
    Says for each layer what it stopped of what reached it, and what it refused wrongly, with
    intervals of 95 %.

    Exits with 0, 1 when a rate is over its bound, 2 when the policy, a file or the command line
    is wrong, 3 when something could not be judged, 5 without any case, 130 when interrupted.
    """
    show = screen()
    if lists:
        return _list(show, as_json=as_json)
    if policy is None:
        raise click.UsageError("Missing argument 'FILE'.")
    if resume and out is None:
        raise click.UsageError("--resume goes on with a file: name it with --out.")
    refuse_idle()
    if adaptive is None and any(gate.figure == "adaptive" for gate in gates):
        raise click.UsageError("--fail-over adaptive is of a search: ask for one with --adaptive.")
    if workers is None:
        alone = model is None and base_url is None
        workers = min(cores(), _MOST_ALONE) if alone else 1
    try:
        for path in (html, junit, out):
            _refuse_unwritable(path)
        named, has_plain = chosen_disguises(disguises)
        setting = Setting(
            policy,
            dict(params),
            model,
            base_url,
            model_name,
            key_env,
            rate,
            timeout,
            std=std,
            packs=packs,
            overlay=overlay,
        )
        setting.weights()  # a model that is not there is said before anything is tried
        suite = load_suite(families, files)
        _tell_broken(show, suite)
        if not suite.cases:
            show.say(show.err.paint("there are no cases", "warn"))
            return UNJUDGED if suite.broken else NOTHING
        _refuse_unknown(gates, suite)
        probe = Probe(
            setting,
            suite,
            Choice(named, has_plain, chosen_splits(splits), disguise_benign, limit, seed),
            workers=workers,
            adaptive=adaptive or 0,
            out=out,
            resume=resume,
            shows_text=show_values,
            earlier=compare,
        )
    except PolicyError as error:
        show_frames(show, error.diagnostics)
        return WRONG
    except (BindError, UsageError) as error:
        return _complained(show, error)
    if not len(probe.trials):
        show.say(show.err.paint("there is nothing to try", "warn"))
        return NOTHING
    return _run(show, probe, gates, suite if show_values else None, out, as_json, html, junit)


def _run(
    show: Screen,
    probe: Probe,
    gates: tuple[Gate, ...],
    suite: Suite | None,
    out: Path | None,
    as_json: bool,
    html: Path | None,
    junit: Path | None,
) -> int:
    if probe.resumed:
        show.say(f"{probe.resumed:,} trials are there already")
    is_cut = False
    line = MovingLine(show)
    try:
        figures = probe.run(_progress(line, probe.resumed))
    except KeyboardInterrupt:
        line.clear()
        kept = "" if out is None else f"; --resume goes on with `{visible(out.as_posix())}`"
        show.say(f"interrupted: {probe.finished:,} of {len(probe.trials):,} trials are done{kept}")
        return INTERRUPTED
    except (BindError, UsageError) as error:
        line.clear()
        return _complained(show, error)
    except CrewError as error:
        line.clear()
        show.complain(str(error))
        figures, is_cut = probe.figures(), True
    line.clear()
    compared = probe.compared()
    failed, untold = _judged(show, figures, gates)
    if as_json:
        made = figures.as_dict()
        made["gates"] = [
            {"gate": gate.name, "bound": gate.bound, "rate": gate.rate(figures)} for gate in gates
        ]
        if compared is not None:
            made["compared"] = compared.as_dict()
        show.out.data(json.dumps(made, indent=1) + "\n")
    else:
        for text in report_lines(show, figures, compared, suite):
            show.out.line(text)
    before = () if compared is None else (compared.old,)
    gated = [(gate.name, gate.bound, gate.rate(figures)) for gate in gates]
    if html is not None and not _wrote(
        show, html, probe_html(figures, date.today(), before, compared)
    ):
        return WRONG
    if junit is not None and not _wrote(show, junit, probe_junit(figures, gated)):
        return WRONG
    if failed:
        return FINDINGS
    is_open = figures.unjudged or figures.broken or untold or is_cut
    is_open = is_open or (figures.adaptive is not None and figures.adaptive.unjudged)
    return UNJUDGED if is_open else CLEAN


def _wrote(show: Screen, path: Path, text: str) -> bool:
    if not write_or_complain(show, path, text.encode()):
        return False
    show.say(f"wrote {visible(path.as_posix())}")
    return True


def _complained(show: Screen, error: BindError | UsageError) -> int:
    for problem in error.problems if isinstance(error, BindError) else (str(error),):
        show.complain(problem)
    return WRONG


def _refuse_unwritable(path: Path | None) -> None:
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise UsageError(f"`{visible(path.as_posix())}` cannot be written: no such folder")


def _refuse_unknown(gates: tuple[Gate, ...], suite: Suite) -> None:
    """Refuse gates on families that are not tried: they would hold whatever happens."""
    families = {case.family for case in suite.cases}
    for gate in gates:
        if gate.family and gate.family not in families:
            near = nearest(gate.family, sorted(families))
            advice = f"; did you mean `{near}`?" if near else ""
            raise UsageError(f"no case is of the family `{visible(gate.family)}`{advice}")


def _tell_broken(show: Screen, suite: Suite) -> None:
    for row in suite.broken[:_MOST_BROKEN]:
        show.complain(f"{row}: could not judge")
    more = len(suite.broken) - _MOST_BROKEN
    if more > 0:
        show.complain(f"and {more:,} rows more that are no cases")


def _list(show: Screen, *, as_json: bool) -> int:
    found = shipped_families()
    if as_json:
        show.out.data(json.dumps([one._asdict() for one in found], indent=1) + "\n")
        return CLEAN
    paint = show.out.paint
    show.out.line(paint(f"{'family':<22} {'cases':>5}  what it is", "strong"))
    for one in found:
        show.out.line(f"{one.name:<22} {one.attacks + one.benign:>5}  {one.about}")
    attacks, benign = sum(one.attacks for one in found), sum(one.benign for one in found)
    show.out.line(f"{'':<22} {attacks + benign:>5}  {attacks:,} attacks, {benign:,} benign")
    return CLEAN


# --- gates


def _judged(show: Screen, figures: Figures, gates: tuple[Gate, ...]) -> tuple[int, int]:
    """How many rates are over their bounds, and how many cannot be told."""
    failed = untold = 0
    for gate in gates:
        rate = gate.rate(figures)
        if rate is None:
            untold += 1
            show.complain(f"`{visible(gate.name)}` cannot be told from these trials")
        elif rate > gate.bound:
            failed += 1
            show.complain(f"`{visible(gate.name)}` is {rate:.2%}, over {gate.bound:.4g}")
    return failed, untold


# --- progress


def _progress(line: MovingLine, resumed: int) -> Callable[[str, int, int], None]:
    """A bar on one line: how far, how fast, how long still."""
    begun: dict[str, float] = {}
    first: dict[str, int] = {"trials": resumed}

    def told(phase: str, done: int, of: int) -> None:
        begun.setdefault(phase, monotonic())
        if not line.is_due:
            return
        spent = monotonic() - begun[phase]
        made = done - first.get(phase, 0)
        rate = made / max(spent, 1e-9)
        left = int((of - done) / max(rate, 1e-9))
        # The first trials wait for models that open: a rate of them misleads.
        is_told = spent > 1 and made > 1
        pace = f"  {rate:,.0f}/s  {left // 60}:{left % 60:02} left" if is_told else ""
        line.tell(f"{bar(done / max(of, 1))} {done:,} of {of:,} {phase}{pace}")

    return told
