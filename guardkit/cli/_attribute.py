"""`guardkit attribute`: which layer of a deployment refused or failed, and how surely."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

import click

from guardkit.diagnostics import visible
from guardkit.errors import UsageError
from guardkit.types import Surface

from ._attribute_report import one_lines, summary_lines
from ._bound import bound_file
from ._exits import CLEAN, FINDINGS, NOTHING, UNJUDGED, WRONG
from ._moving_line import MovingLine
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, Params, facts_of, on_option
from ._screen import Screen, screen
from ._verbs import verb
from ._weights import weights, weights_options
from ._write import write_or_complain

if TYPE_CHECKING:
    from guardkit.guard import Guard
    from guardkit.layers import (
        Attribution,
        Deployment,
        ExchangeRow,
        Kept,
        Model,
        Summary,
        Unread,
    )
    from guardkit.packs import Installed

_MOST_SHOWN = 2_000
"""Exchanges that a report shows one by one."""


class _Plan(NamedTuple):
    """How exchanges are attributed."""

    repeats: int
    seed: int
    at_once: int
    rate: float | None


@verb("attribute")
@click.argument("policy", metavar="FILE")
@click.option("--prompt", metavar="TEXT", help="The exchange: what the user said.")
@click.option(
    "--cases",
    type=click.Path(path_type=Path),
    metavar="DATA",
    help="The exchanges: JSONL, plain or .gz.",
)
@click.option("--reply", metavar="TEXT", help="The reply to the prompt that was seen.")
@on_option("the prompt")
@weights_options
@click.option("--other", metavar="MODULE:CALLABLE", help="Other weights, to compare with.")
@click.option("--other-base-url", metavar="URL", help="The same, behind a server.")
@click.option("--other-name", default="default", metavar="NAME", help="The name of them there.")
@click.option(
    "--other-key-env",
    metavar="NAME",
    help="The environment variable that holds the key for them; --key-env is not sent there.",
)
@click.option(
    "-n",
    "repeats",
    type=click.IntRange(1, 1000),
    default=20,
    metavar="N",
    help="Runs of each form of the stack at most; 20 if none is given.",
)
@click.option(
    "--expect",
    type=click.Choice(["answer", "refuse"]),
    metavar="WHAT",
    help="What ought to come of it: answer or refuse; else the policy says.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.001),
    default=60.0,
    metavar="SECONDS",
    help="How long a reply may take; 60 if none is given.",
)
@click.option("--rate", type=click.FloatRange(min=0.001), metavar="N", help="Runs per second.")
@click.option(
    "--at-once",
    type=click.IntRange(1, 256),
    default=8,
    metavar="N",
    help="Runs at once; 8 if none is given.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, metavar="N", help="0 if none."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="PATH", help="Keep what is finished here."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the file of --out; what stands there is not tried again.",
)
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="PATH", help="Write a report to read."
)
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    policy: str,
    prompt: str | None,
    cases: Path | None,
    reply: str | None,
    on: Surface,
    model: str | None,
    base_url: str | None,
    model_name: str,
    key_env: str | None,
    other: str | None,
    other_base_url: str | None,
    other_name: str,
    other_key_env: str | None,
    repeats: int,
    expect: Literal["answer", "refuse"] | None,
    timeout: float,
    rate: float | None,
    at_once: int,
    seed: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
    html: Path | None,
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Say which layer made an exchange what it is.

    FILE is a policy, or the name of one that ships. The exchange is a --prompt, or each row of
    --cases: `text`, `messages` or `turns`, and if there are any `documents`, `on`, `ask`, `tool`,
    `context`, `expect`, `id` and the `reply` that was seen.

    What the rules and the provider did is read from the records. What is left is the model: the
    exchange is had again, whole and with one layer taken away, up to N times each. Without a
    model, only what the rules and a given reply show is said.

    Exits with 0, 1 when an exchange is an over-refusal or a wrong answer, 2 when the policy or a
    file is wrong, 3 when something could not be judged, 5 without any exchange.
    """
    show = screen()
    _sound(prompt, cases, reply, on, out, resume)
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        show.complain(f"`{visible(html.as_posix())}` cannot be written: no such folder")
        return WRONG
    context = facts_of(facts)
    plan = _Plan(repeats, seed, at_once, rate)
    try:
        asks = weights((model, base_url, model_name, key_env), timeout)
        compared = weights((other, other_base_url, other_name, other_key_env), timeout)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    guard = bound_file(show, policy, dict(params), std, packs, overlay)
    if guard is None:
        return WRONG
    from guardkit.layers import Deployment, Kept, exchanges_of, file_digest

    deployment = Deployment(guard, asks, timeout_s=timeout)
    findings = _Findings(show, as_json=as_json, is_one=cases is None, keeps=html is not None)
    try:
        rows = iter((_one(prompt or "", on, reply),)) if cases is None else exchanges_of(cases)
        rows = (_with(row, expect, context) for row in rows)
        with ExitStack() as stack:
            kept = None
            if out is not None and cases is not None:
                key = {
                    "policy": guard.digest,
                    "exchanges": file_digest(cases),
                    "model": _named(model, base_url, model_name),
                    "other weights": _named(other, other_base_url, other_name),
                    "repeats": repeats,
                    "seed": seed,
                    "expectation": expect,
                    "context": _digest(context),
                }
                kept = stack.enter_context(Kept(out, key, resumes=resume))
            summary = _run(show, deployment, rows, plan, compared, kept, findings)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    findings.end(summary)
    files = () if cases is None else (cases.name,)
    if html is not None and not _write_html(show, html, findings, summary, guard, files, plan):
        return WRONG
    if not summary.exchanges and not summary.rows_unread:
        show.say(show.err.paint("there are no exchanges", "warn"))
        return NOTHING
    if summary.findings:
        return FINDINGS
    return UNJUDGED if summary.unjudged or summary.rows_unread else CLEAN


def _sound(
    prompt: str | None,
    cases: Path | None,
    reply: str | None,
    on: Surface,
    out: Path | None,
    resume: bool,
) -> None:
    """Refuse options that do not go together."""
    if (prompt is None) == (cases is None):
        raise click.UsageError("Give the exchange: --prompt TEXT, or --cases DATA.")
    if reply is not None and cases is not None:
        raise click.UsageError("--reply belongs to --prompt; a row of --cases has its own `reply`.")
    if reply is not None and on in ("output", "tool_call"):
        raise click.UsageError(f"A text on `{on}` is the reply: leave --reply out.")
    if out is not None and cases is None:
        raise click.UsageError("--out keeps the exchanges of --cases.")
    if resume and out is None:
        raise click.UsageError("--resume goes on with the file of --out.")


# --- exchanges


def _one(prompt: str, on: Surface, reply: str | None) -> ExchangeRow:
    from guardkit.layers import ExchangeRow, asked

    said = asked(prompt, on)
    return ExchangeRow("prompt", 1, said if reply is None else replace(said, reply=reply))


def _with(
    row: ExchangeRow | Unread,
    expect: Literal["answer", "refuse"] | None,
    context: Mapping[str, object],
) -> ExchangeRow | Unread:
    """A row with what was said for all of them; what it says itself comes first."""
    from guardkit.layers import ExchangeRow

    if not isinstance(row, ExchangeRow):
        return row
    facts = {**context, **(row.said.facts or {})} or None
    return replace(row, expect=row.expect or expect, said=replace(row.said, facts=facts))


def _named(callable_name: str | None, base_url: str | None, name: str) -> str | None:
    """What stands for a model in a file: of an address no user, no password, no query."""
    if base_url is None:
        return callable_name
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path} {name}"


def _digest(context: Mapping[str, object]) -> str:
    spelled = json.dumps(context, sort_keys=True, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def _run(
    show: Screen,
    deployment: Deployment,
    rows: Iterator[ExchangeRow | Unread],
    plan: _Plan,
    compared: Model | None,
    kept: Kept | None,
    findings: _Findings,
) -> Summary:
    from guardkit.layers import attribute_all, most_runs

    most = most_runs(plan.repeats)
    line = MovingLine(show)
    begun = monotonic()

    def told(done: int, runs: int) -> None:
        if line.is_due:
            pace = runs / max(monotonic() - begun, 1e-9)
            had = f"{done:,} exchanges, {runs:,} runs"
            if findings.is_one:
                had = f"{runs:,} of at most {most:,} runs"
            line.tell(f"{had}  {pace:,.1f}/s")

    try:
        return attribute_all(
            deployment,
            rows,
            repeats=plan.repeats,
            other=compared,
            seed=plan.seed,
            at_once=plan.at_once,
            rate=plan.rate,
            kept=kept,
            each=findings.add,
            told=told,
        )
    finally:
        line.clear()


# --- what is told


class _Findings:
    """Writes findings as they come, and keeps as many as a report shows."""

    def __init__(self, show: Screen, *, as_json: bool, is_one: bool, keeps: bool) -> None:
        self._show = show
        self._as_json = as_json
        self.is_one = is_one
        self._keeps = keeps
        self._first: Attribution | None = None
        self._is_begun = False
        self.kept: list[Attribution] = []

    def add(self, made: Attribution) -> None:
        """One more."""
        if self._as_json:
            # Written at once: what many exchanges come to need not fit into memory.
            head = ",\n" if self._is_begun else '{"exchanges": [\n'
            self._show.out.data(head + json.dumps(made.as_dict()))
        self._is_begun = True
        self._first = self._first or made
        if self._keeps and (made.is_finding or len(self.kept) < _MOST_SHOWN):
            self._keep(made)

    def _keep(self, made: Attribution) -> None:
        if len(self.kept) >= _MOST_SHOWN:
            plain = next((at for at, one in enumerate(self.kept) if not one.is_finding), None)
            if plain is None:
                return
            del self.kept[plain]
        self.kept.append(made)

    def end(self, summary: Summary) -> None:
        """All are there."""
        show = self._show
        for row in summary.unread:
            show.complain(f"{visible(row.id)}: {row.why}")
        if more := summary.rows_unread - len(summary.unread):
            show.complain(f"and {more:,} more rows that are no exchange")
        if self._as_json:
            head = "" if self._is_begun else '{"exchanges": ['
            said = json.dumps(summary.as_dict())
            show.out.data(f'{head}\n], "summary": {said}}}\n')
        elif self.is_one and self._first is not None:
            for line in one_lines(show, self._first):
                show.out.line(line)
        elif summary.exchanges:
            for line in summary_lines(show, summary):
                show.out.line(line)


def _write_html(
    show: Screen,
    path: Path,
    findings: _Findings,
    summary: Summary,
    guard: Guard,
    files: tuple[str, ...],
    plan: _Plan,
) -> bool:
    from guardkit.layers import attribution_html

    page = attribution_html(
        findings.kept,
        date.today(),
        summary=summary,
        policy=f"{guard.plan.policy} {guard.digest[:19]}",
        files=files,
        repeats=plan.repeats,
        seed=plan.seed,
    )
    if not write_or_complain(show, path, page.encode()):
        return False
    show.say(f"wrote {visible(path.as_posix())}")
    return True
