"""The rounds: every worker is asked the same in turn, so that all meet the same noise."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.workload import patterns
from guardkit.bench import Watch

from ._cases import CASES, Case, hit_texts, judged, secret_streams
from ._environments import Peer
from ._workers import Worker, WorkerError

Row = dict[str, Any]


class Rounds:
    """Asks all workers round by round, and keeps what each said."""

    def __init__(
        self, peers: Sequence[Peer], model: Path | None, cases: Sequence[Case], watch: Watch
    ) -> None:
        self._workers = [Worker(peer) for peer in peers if peer.script]
        self._model = model
        self._watch = watch
        self._cases = [case for case in cases if case.work != "serve"]
        self._mechanisms: dict[str, dict[str, list[str]]] = {}
        self._rows: dict[tuple[str, str, str], Row] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.missing: list[dict[str, str]] = []

    async def run(self, rounds: int) -> list[Row]:
        """The rows of all rounds, in the order of the cases."""
        try:
            for worker in self._workers:
                await self._greeted(worker)
            for number in range(rounds):
                for case in self._cases:
                    if not (case.is_once and number):
                        await self._turn(case, number)
        finally:
            for worker in self._workers:
                await worker.end()
        return [_summed(row, self._rows) for row in self._rows.values()]

    async def _greeted(self, worker: Worker) -> None:
        peer = worker.peer
        try:
            told = await worker.ask({"do": "hello"})
        except WorkerError as error:
            self.missing.append({"peer": peer.name, "work": "all", "why": str(error)})
            self._mechanisms[peer.name] = {}
            return
        self.versions[peer.name] = {"python": told["python"], **told["versions"]}
        self._mechanisms[peer.name] = told["mechanisms"]
        for work, why in peer.lacks:
            self.missing.append({"peer": peer.name, "work": work, "why": why})

    async def _turn(self, case: Case, number: int) -> None:
        if case.work == "classify" and self._model is None:
            return
        self._watch.tick()
        warm, items = _items(case, number)
        shift = (number + CASES.index(case)) % len(self._workers)
        for worker in (*self._workers[shift:], *self._workers[:shift]):
            name = worker.peer.name
            for mechanism in self._mechanisms[name].get(case.work, ()):
                task = {
                    "do": "measure",
                    "work": case.work,
                    "mechanism": mechanism,
                    "given": str(self._model) if case.work == "classify" else patterns(),
                    "warm": warm,
                    "items": items,
                    "seconds": case.seconds,
                    "floors": case.floors,
                }
                row = self._rows.setdefault(
                    (case.name, name, mechanism),
                    {"case": case.name, "peer": name, "mechanism": mechanism, "rounds": []},
                )
                await self._asked(worker, task, case, items, row)
        print(f"round {number + 1}: {case.title}", file=sys.stderr, flush=True)

    async def _asked(
        self, worker: Worker, task: dict[str, Any], case: Case, items: Sequence[Any], row: Row
    ) -> None:
        try:
            told = await worker.ask(task)
        except WorkerError as error:
            told = {"error": str(error)}
        if "error" in told:
            row["error"] = told["error"]
            return
        answers = told["answers"]
        row["rounds"].append(
            {name: median(times) * 1e6 for name, times in told["times"].items()}
            | {"n": len(told["times"]["peer"])}
        )
        said = judged(case, items, answers)
        # The worst of all rounds, for what is counted in each.
        before = row.setdefault("judged", said)
        for key in ("redacted", "whole"):
            if key in said:
                before[key] = min(before[key], said[key])


def _items(case: Case, number: int) -> tuple[list[Any], list[Any]]:
    """Texts to warm up with and texts to measure."""
    if case.name == "hits":
        return [], list(hit_texts()[0])
    if case.name == "leak":
        return [], list(secret_streams()[0])
    return case.items("warm", number), case.items("asked", number)


def _summed(row: Row, rows: dict[tuple[str, str, str], Row]) -> Row:
    """A row with the median of its rounds, and ratios: each of one round, then their median."""
    rounds = row["rounds"]
    if not rounds:
        return row
    own = [
        one for (case, peer, _), one in rows.items() if (case, peer) == (row["case"], "guardkit")
    ]
    ratios = {
        name: median(one["peer"] / one[name] for one in rounds)
        for name in ("re", "re2", "raw")
        if name in rounds[0]
    }
    # The first of guardkit's rows is the one that does all of its work.
    if own and len(own[0]["rounds"]) == len(rounds):
        pairs = zip(rounds, own[0]["rounds"], strict=True)
        ratios["guardkit"] = median(one["peer"] / ours["peer"] for one, ours in pairs)
    return {**row, "us": median(one["peer"] for one in rounds), "ratios": ratios}
