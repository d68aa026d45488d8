"""guardkit beside its peers: the same work, each in an environment of its own, in turns.

    python -m benchmarks.peers [--only NAME…] [--rounds N] [--make-only] [--results PATH]

The first run makes the environments under `.venvs/peers/`, which takes a quarter of an hour and
some 6 GB. A run of everybody writes `results.json` and the table in `README.md`; one with `--only`
prints its table and writes nothing, unless `--results` names a file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guardkit.bench import Watch

from . import _servers
from ._cases import CASES
from ._environments import HERE, PEERS, MakeError, Peer, made, pinned
from ._model import model
from ._rounds import Rounds
from ._table import table, with_table

RESULTS = HERE / "results.json"
README = HERE / "README.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make environments, measure, write."""
    asked = _arguments().parse_args(arguments)
    if asked.table:
        _written(json.loads(RESULTS.read_text(encoding="utf-8")))
        return 0
    names = {"guardkit", *asked.only} if asked.only else {peer.name for peer in PEERS}
    ready, missing = _ready([peer for peer in PEERS if peer.name in names])
    if asked.make_only:
        return 1 if missing else 0
    cases = [case for case in CASES if not asked.case or case.name in asked.case]
    results = asyncio.run(_measured(ready, cases, asked.rounds))
    results["missing"] = missing + results["missing"]
    if asked.update:
        results = _updated(json.loads(RESULTS.read_text(encoding="utf-8")), results)
    print(table(results))
    if asked.results or _is_whole(asked):
        text = json.dumps(results, indent=1) + "\n"
        (asked.results or RESULTS).write_text(text, encoding="utf-8")
    if _is_whole(asked) and not asked.results:
        _written(results)
    return 0


def _is_whole(asked: argparse.Namespace) -> bool:
    return not asked.only and (asked.update or not asked.case)


def _ready(peers: Sequence[Peer]) -> tuple[list[Peer], list[dict[str, str]]]:
    """Those whose environment could be made, one after the other, and why others could not."""
    ready, missing = [], []
    for peer in peers:
        try:
            made(peer)
        except MakeError as error:
            print(f"{peer.name}: {error}", file=sys.stderr)
            why = str(error).splitlines()[0][:200]
            missing.append({"peer": peer.name, "work": "all", "why": why})
        else:
            print(f"{peer.name}: ready", file=sys.stderr, flush=True)
            ready.append(peer)
    return ready, missing


async def _measured(peers: Sequence[Peer], cases: Any, rounds: int) -> dict[str, Any]:
    watch = Watch()
    folder = model() if any(case.work == "classify" for case in cases) else None
    running = Rounds(peers, folder, cases, watch)
    rows = await running.run(rounds)
    missing = running.missing
    if any(case.work == "serve" for case in cases):
        served, unserved = await _servers.rows(peers, rounds)
        rows, missing = rows + served, missing + unserved
    running.versions.update({peer.name: pinned(peer) for peer in peers if not peer.script})
    seen = watch.seen()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": rounds,
        "machine": {
            "system": seen.system,
            "cpu": seen.cpu,
            "cores": seen.cores,
            "python": seen.python,
            "load_before": seen.load_before,
            "load_after": seen.load_after,
            "is_busy": seen.is_busy,
            "why_busy": seen.why_busy,
        },
        "versions": running.versions,
        "rows": rows,
        "missing": missing,
    }


def _updated(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Results with some work asked again, by all; a ratio is always within one run."""
    again = {row["case"] for row in now["rows"]}
    kept = [row for row in before["rows"] if row["case"] not in again]
    return {**before, "rows": kept + now["rows"], "versions": before["versions"] | now["versions"]}


def _written(results: dict[str, Any]) -> None:
    text = README.read_text(encoding="utf-8")
    README.write_text(with_table(text, results), encoding="utf-8")


def _arguments() -> argparse.ArgumentParser:
    names = [peer.name for peer in PEERS if peer.name != "guardkit"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--case", nargs="+", choices=[case.name for case in CASES], help="some of the work"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument(
        "--update", action="store_true", help="put what --case asks into the results there are"
    )
    parser.add_argument("--make-only", action="store_true", help="make environments, no more")
    parser.add_argument("--results", type=Path, metavar="PATH", help="write the results here")
    parser.add_argument(
        "--table", action="store_true", help="measure nothing: write the table of the results again"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
