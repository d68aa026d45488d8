"""What became of requests is kept as it was, and made plain data only when somebody looks."""

from __future__ import annotations

import json

import guardkit
from guardkit.server._counters import Counters
from guardkit.server._http import Request
from guardkit.server._journal import MOST_RECENT, Journal
from guardkit.server._logs import Log
from guardkit.server._tally import MOST_RECORDS, End, Tally
from guardkit.server._tenant import Tenant
from guardkit.types import Record, Verdict

from ._served import POLICY

GUARD = guardkit.loads(POLICY)


async def _nothing() -> bytes:
    return b"{}"


def _request(decision: str) -> Request:
    return Request("POST", "/x", {}, {}, "192.0.2.7", decision, _nothing, Tenant("acme"))


def _tally(*texts: str) -> Tally:
    tally = Tally(GUARD.digest)
    for text in texts:
        verdict: Verdict = GUARD.check(text)
        tally.saw(verdict)
        tally.keep(verdict.ledger)
    tally.ended()
    return tally


def _journal() -> tuple[Journal, list[str], list[Request]]:
    lines: list[str] = []
    blocked: list[Request] = []
    return Journal(Counters(), Log(lines.append), blocked.append), lines, blocked


def test_a_decision_is_told_to_all_who_watch() -> None:
    journal, lines, blocked = _journal()
    request = _request("d-1")
    tally = _tally("NB-1234 and FORBIDDEN")
    journal.judged(request, "check", End(200, tally, 0.0125, error=None))
    assert (request.is_inside, request.is_told) == (False, True)
    assert blocked == [request]
    [line] = map(json.loads, lines)
    assert (
        line.items()
        >= {
            "event": "request",
            "decision": "d-1",
            "route": "check",
            "dialect": "guardkit",
            "status": 200,
            "action": "block",
            "elapsed_ms": 12.5,
            "tenant": "acme",
            "policy": GUARD.digest,
        }.items()
    )
    [one] = journal.recent()
    assert {name: one[name] for name in ("decision", "route", "tenant", "surface", "ms")} == {
        "decision": "d-1",
        "route": "check",
        "tenant": "acme",
        "surface": "input",
        "ms": 12.5,
    }
    assert one["rules"] == line["rules"]
    assert "stop" in one["rules"]
    assert one["ledger"] == [record._asdict() for record in tally.records]
    assert one["ledger"], "a verdict has a ledger"
    assert "NB-1234" not in json.dumps([line, one])
    json.dumps(one)


def test_what_passes_blocks_nobody() -> None:
    journal, _, blocked = _journal()
    journal.judged(_request("d-2"), "litellm", End(200, _tally("hello"), 0.001))
    assert not blocked
    assert journal.recent()[0]["action"] == "pass"


def test_the_last_ones_are_kept_and_no_request_is() -> None:
    journal, _, _ = _journal()
    end = End(200, _tally("hello"), 0.001)
    for number in range(MOST_RECENT + 5):
        journal.judged(_request(f"d-{number}"), "check", end)
    found = [one["decision"] for one in journal.recent()]
    assert found == [f"d-{number}" for number in range(5, MOST_RECENT + 5)]
    # A request holds its body: what is kept of it is names alone.
    assert not any(isinstance(part, Request) for one in journal._recent for part in one)


def test_a_tally_keeps_so_many_lines_and_the_strongest_action() -> None:
    tally = Tally()
    tally.ended()
    assert tally.action == "pass"
    tally = _tally("NB-1234", "hello")
    assert (tally.action, tally.surface, list(tally.rules)) == ("rewrite", "input", ["mask"])
    tally.keep(Record("input", "rule r", "flag", 1.0) for _ in range(3 * MOST_RECORDS))
    assert len(tally.records) == MOST_RECORDS
    tally.ended(is_stopped=True)
    assert tally.action == "block"
