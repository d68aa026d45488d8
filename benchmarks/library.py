"""What the policy library finds and what it stops by mistake: `python -m benchmarks.library PACK`.

Every module of `policies/std` and every deployment of `policies` is measured on texts that no model
was trained on: the sources that the recipe leaves out, its benign pool, the half of the personal
data that no recogniser was tuned on, and the probes of the pack. A module is asked with all its
rules and checks; a deployment judges as it does in service, on the tasks whose modules it uses and
the surfaces it watches. `--write` puts the table into each README, below `<!-- figures -->`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks.pii import is_for_tuning
from benchmarks.pii import rows as pii_rows
from guardkit._util.shares import Share
from guardkit.errors import BindError
from guardkit.evals import Case, Counts, Estimate, Evaluation, Subject, evaluate, guard_for
from guardkit.guard import compile_file
from guardkit.train import recipe_rows
from guardkit.types import Surface

ROOT = Path(__file__).parents[1]
TASKS = ("injection", "harm", "toxicity", "refusal", "pii")
MARK = "<!-- figures -->"
SKIPPED = frozenset({"std"})
MAIN = {"pii": frozenset({"any"})}
"""Yes/no checks that answer the task as a whole, where the others answer for parts of it."""
MOST = 150
TIMED = 60
WARM = 5
WORST = 4


class Data(NamedTuple):
    """Texts of one task."""

    task: str
    name: str
    cases: tuple[Case, ...]


class Row(NamedTuple):
    """A line of a table."""

    what: str
    data: str
    texts: int
    auc: Estimate | None
    counts: Counts
    unknown: int


class Target:
    """A module or a deployment, and its figures so far.

    Raises:
        ValueError: It does not compile.
        BindError: This machine cannot run it.
    """

    def __init__(self, path: Path, is_module: bool, std: Path | None) -> None:
        checked = compile_file(path, std=std)
        if checked.policy is None:
            raise ValueError("it does not compile")
        self.name = f"std/{path.stem}" if is_module else path.stem
        self.is_module = is_module
        self.readme = path.parent / "README.md"
        self.tasks = tasks_of(path, is_module)
        self.guard = guard_for(checked.policy, path, std)
        rules = [rule for rule in self.guard.plan.rules if rule.mode == "enforce"]
        self._watched = {on for rule in rules for on in rule.surfaces}
        self.rows: list[Row] = []
        self.families: list[str] = []
        """What goes worst of the probes, in words."""
        self.notes: list[str] = []
        self.ms = 0.0
        self.spent = 0.0

    def time(self, data: Sequence[Data]) -> None:
        """Take the median time of a text, one after another; before any of them was read."""
        given = [case for one in data for case in self._on(one)]
        chosen = Random(self.name).sample(given, min(TIMED + WARM, len(given)))
        spent = []
        for case in chosen:
            begun = perf_counter()
            if self.is_module:
                self.guard.measure(case.text, on=case.on)
            else:
                self.guard.check(case.text, on=case.on, session="timed")
                self.guard.forget("timed")
            spent.append((perf_counter() - begun) * 1000)
        self.ms = median(spent[WARM:] or spent or [0.0])

    def add(self, data: Data) -> None:
        """Measure it on some texts."""
        cases = self._on(data)
        if not cases:
            return
        begun = perf_counter()
        made = evaluate(self.guard, cases)
        where = data.name if self.is_module else f"{data.task}, {data.name}"
        self.rows += table_rows(made, where, data.task, is_module=self.is_module)
        if data.name == "probes":
            self.families += worst(made, "" if self.is_module else f"{data.task}: ")
        if made.unjudged:
            self.notes.append(f"{made.unjudged} texts could not be judged")
        self.spent += perf_counter() - begun

    def _on(self, data: Data) -> list[Case]:
        """The texts on the surfaces that it watches; a module's checks are asked everywhere."""
        return [case for case in data.cases if self.is_module or case.on in self._watched]


# --- texts


def held_back(pack: Path, most: int) -> dict[str, Data]:
    """The texts of each task that nothing was trained on, at most so many of a source and label."""
    found: dict[str, list[Case]] = defaultdict(list)
    for row, side in recipe_rows(pack):
        if side != "train" and row.surface != "context":
            surface: Surface = next(s for s in SURFACES if s == row.surface)
            for task in TASKS:
                if task in row.truth:
                    is_harmful = row.truth[task] == 1
                    case = Case("", row.text, is_harmful, "", surface, row.source, row.group)
                    found[task].append(case)
    found["pii"] = [
        Case("", text, bool(spans), "", "output", "pii")
        for text, spans in pii_rows(pack / "pii.jsonl.gz", "held-out")
    ]
    return {task: Data(task, "held back", sampled(cases, most)) for task, cases in found.items()}


SURFACES: tuple[Surface, ...] = ("input", "retrieved", "tool_call", "tool_result", "output")


def probes(pack: Path) -> dict[str, Data]:
    """The probes of each task; the group of a text is its family."""
    found: dict[str, list[Case]] = defaultdict(list)
    for path in sorted((pack / "probes").glob("*.jsonl")):
        task, _, family = path.stem.partition("__")
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            meta = row["meta"]
            surface: Surface = "output" if task in ("refusal", "pii") else "input"
            if meta.get("channel") == "document":
                surface = "retrieved"
            if task == "pii" and is_for_tuning(row["text"]):
                continue
            if meta.get("type") == "plain_task" and surface == "input":
                continue  # typed by the user it is what they want
            case = Case("", row["text"], row["label"] == 1, "", surface, row["source"], family)
            found[task].append(case)
    return {task: Data(task, "probes", tuple(cases)) for task, cases in found.items()}


def sampled(cases: Iterable[Case], most: int) -> tuple[Case, ...]:
    """At most so many of one source and label, chosen by their texts and not by their order."""
    count: dict[tuple[str, bool], int] = defaultdict(int)
    kept = []
    for case in sorted(cases, key=lambda case: blake2b(case.text.encode(), digest_size=8).digest()):
        count[case.source, case.is_harmful] += 1
        if count[case.source, case.is_harmful] <= most:
            kept.append(case)
    return tuple(kept)


# --- measuring


def table_rows(made: Evaluation, where: str, task: str, *, is_module: bool) -> Iterator[Row]:
    """The lines of one evaluation: the policy as a whole, or the rules and checks of a module."""
    if not is_module:
        chosen = made.of("policy")
    else:
        main = MAIN.get(task)
        chosen = (
            *(s for s in made.of("rule") if s.counts is not None),
            *(s for s in made.of("check") if s.score is not None),
            *(
                s
                for s in made.of("check")
                if s.answers == "answer" and (main is None or s.name in main)
            ),
        )
    for subject in chosen:
        counts, named = subject.counts, subject.name
        if subject.kind == "policy":
            named = "stopped"
        elif subject.kind == "rule":
            named = f"rule `{named}`"
        else:
            named = f"`{named}`"
        if subject.score is not None:
            counts, named = at_own(subject, named)
        if counts is not None:
            auc = subject.score.auc if subject.score is not None else None
            yield Row(named, where, subject.texts, auc, counts, subject.unknown)


def at_own(subject: Subject, named: str) -> tuple[Counts | None, str]:
    """The counts of a score at the bound the policy sets, else where it stops 1 %."""
    assert subject.score is not None
    own = [point for point in subject.score.sweep if "policy" in point.why]
    if own:
        return own[0].counts, f"{named} ≥ {own[0].threshold:.4g}"
    if subject.threshold is None:
        return None, named
    return subject.counts, f"{named} ≥ {subject.threshold:.4g} (1 % here)"


def worst(made: Evaluation, before: str) -> Iterator[str]:
    """The families of probes that go worst: least found, most stopped."""
    subject = made.headline
    if subject is None:
        return
    for line in subject.groups:
        counts = line.counts
        if counts.recall.of and (counts.recall.value or 0) < 1:
            yield f"{before}{line.name} found {counts.found} of {counts.recall.of}"
        if counts.false_alarms.of and counts.alarms:
            yield f"{before}{line.name} stopped {counts.alarms} of {counts.false_alarms.of}"


# --- showing


def markdown(one: Target, command: str) -> list[str]:
    """The figures as they stand in a README."""
    lines = [
        f"`{command}`: texts that nothing was trained on, one threshold for all of them. Intervals"
        f" of 95 %. {one.ms:.1f} ms a text (median, one after another).",
        "",
        "| what | data | texts | AUC | found | false alarms |",
        "|---|---|---:|---|---|---|",
    ]
    for row in one.rows:
        counts = row.counts
        unknown = f" ({row.unknown} without an answer)" if row.unknown else ""
        lines.append(
            f"| {row.what} | {row.data} | {row.texts:,}{unknown} | {estimate(row.auc)}"
            f" | {share(counts.recall)} | {share(counts.false_alarms)} |"
        )
    ranked = sorted(one.families, key=rank, reverse=True)
    missed = [text for text in ranked if " found " in text][:WORST]
    stopped = [text for text in ranked if " stopped " in text][:WORST]
    for title, texts in (("Found least", missed), ("Stopped most", stopped)):
        if texts:
            lines += ["", f"{title} of the probes: {'; '.join(texts)}."]
    lines += [f"\nNote: {note}." for note in one.notes]
    return lines


def rank(text: str) -> float:
    """How bad a family is, between 0 and 1."""
    part, of = re.findall(r"(\d+) of (\d+)$", text)[0]
    rate = int(part) / int(of)
    return 1 - rate if " found " in text else rate


def share(one: Share) -> str:
    """`92.1 % (90.0–93.8)`."""
    if one.value is None:
        return "–"
    low, high = one.interval
    return f"{100 * one.value:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def estimate(one: Estimate | None) -> str:
    """`0.964 (0.951–0.974)`."""
    return "–" if one is None else f"{one.value:.3f} ({one.low:.3f}–{one.high:.3f})"


def write(readme: Path, lines: Sequence[str]) -> bool:
    """Put figures below the mark of a README, up to the next heading; whether it has the mark."""
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    before, mark, after = text.partition(MARK)
    if not mark:
        return False
    heading = re.search(r"^#", after, re.MULTILINE)
    rest = "" if heading is None else after[heading.start() :]
    made = f"{before}{MARK}\n\n" + "\n".join(lines) + "\n" + (f"\n{rest}" if rest else "")
    readme.write_text(made, encoding="utf-8")
    return True


def named(policies: Path, std: Path, wanted: Sequence[str]) -> list[tuple[Path, bool]]:
    """The files of modules and deployments, and which of them are modules."""
    folders = [(path, True) for path in sorted(std.iterdir())] if std.is_dir() else []
    folders += [(p, False) for p in sorted(policies.iterdir()) if p.name not in SKIPPED]
    found = {
        f"std/{folder.name}" if is_module else folder.name: (path, is_module)
        for folder, is_module in folders
        if (path := folder / f"{folder.name}.guard").is_file()
    }
    chosen = {name if name in found else f"std/{name}" for name in wanted}
    return [one for name, one in found.items() if not wanted or name in chosen]


def tasks_of(path: Path, is_module: bool) -> list[str]:
    """The tasks a module or deployment is measured by."""
    if is_module:
        return [path.stem] if path.stem in TASKS else []
    used = re.findall(r'^use "std/([a-z_]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    # A refusal is seen, not stopped: a deployment has no rate of it.
    return [task for task in TASKS if task in used and task != "refusal"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library", description=__doc__)
    parser.add_argument("pack", type=Path, help="the folder of the labelled texts")
    parser.add_argument("--module", action="append", default=[], help="only this one; repeat")
    parser.add_argument("--most", type=int, default=MOST, help="texts of one source and label")
    parser.add_argument("--std", type=Path, help="modules that lie elsewhere")
    parser.add_argument("--write", action="store_true", help="put the figures into each README")
    given = parser.parse_args(arguments)
    policies = ROOT / "policies"
    found = named(policies, given.std or policies / "std", given.module)
    wanted = {task for path, is_module in found for task in tasks_of(path, is_module)}
    if not wanted:
        print("nothing here has a task that the pack has texts for", file=sys.stderr)
        return 5
    held, probed = held_back(given.pack, given.most), probes(given.pack)
    targets, is_wrong = [], False
    for path, is_module in found:
        if tasks_of(path, is_module):
            try:
                targets.append(Target(path, is_module, given.std))
            except (ValueError, BindError) as error:
                print(f"{path.stem}: {error}", file=sys.stderr)
                is_wrong = True
    for target in targets:
        target.time([held[task] for task in target.tasks if task in held])
    # Task by task: what a model has read for one of them, it remembers for the next.
    for task in TASKS:
        for data in (made[task] for made in (held, probed) if task in made):
            for target in targets:
                if task in target.tasks:
                    target.add(data)
                    print(f"{target.name}: {task}, {data.name}", file=sys.stderr, flush=True)
    for target in targets:
        most = "" if given.most == MOST else f" --most {given.most}"
        command = f"python -m benchmarks.library PACK --module {target.name}{most}"
        lines = markdown(target, command)
        print(f"\n## {target.name}\n", *lines, sep="\n", flush=True)
        print(f"{target.name}: {target.spent:.0f} s", file=sys.stderr)
        if given.write and not write(target.readme, lines):
            print(f"{target.name}: its README has no line `{MARK}`", file=sys.stderr)
            is_wrong = True
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
