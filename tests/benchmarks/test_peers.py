"""The comparison with peers: what is asked, how answers are judged, how the table is written.

No peer is installed here. The worker that is run is guardkit's own, over the same protocol.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers._cases import (
    CASES,
    TOKEN,
    hit_texts,
    judged,
    leaked,
    matching,
    secret_streams,
    tokens,
    values_of,
)
from benchmarks.peers._environments import PEERS, Peer, variables
from benchmarks.peers._table import BEGIN, END, table, with_table
from benchmarks.peers._workers import Worker, WorkerError
from benchmarks.workload import patterns, with_values

FOLDER = Path(__file__).parents[2] / "benchmarks" / "peers"
BY_NAME = {case.name: case for case in CASES}


# --- what is asked


def test_every_pattern_matches_what_is_made_for_it() -> None:
    for pattern in patterns():
        assert re.search(pattern, f"so {matching(pattern)} it is"), pattern


def test_the_texts_have_hits_and_clean_ones() -> None:
    texts, wanted = hit_texts()
    assert len(texts) == len(wanted) == 180
    assert wanted.count(True) == 120


def test_some_secret_lies_over_every_place_of_the_stream() -> None:
    streams, secrets = secret_streams()
    covered: set[int] = set()
    for stream, secret in zip(streams, secrets, strict=True):
        whole = "".join(stream)
        assert whole.count(secret) == 1
        assert any(re.search(pattern, whole) for pattern in patterns())
        covered.update(range(whole.index(secret), whole.index(secret) + len(secret)))
    longest = max(covered)
    # Between two secrets there may be room for the spaces around them, and no more.
    assert len(covered) >= 0.93 * longest


def test_rounds_share_no_text() -> None:
    case = BY_NAME["w1"]
    texts = [
        one for number in (0, 1) for part in ("warm", "asked") for one in case.items(part, number)
    ]
    assert len(set(texts)) == len(texts)


def test_tokens_are_the_text() -> None:
    assert tokens("abcdefg") == ["abcde", "fg"]
    assert all(len(token) == TOKEN for token in BY_NAME["w3"].items("asked", 0)[0])


# --- how answers are judged


@pytest.mark.parametrize(
    ("shown", "count"),
    [
        ("nothing of it", 0),
        ("ghp", 0),
        ("so ghp_ was shown", 4),
        ("so ghp_abcdefgh12", 14),
        ("the end: defgh1234 of it", 9),
        ("ghp_abcdefgh1234", 16),
    ],
)
def test_what_leaked_is_counted_in_characters(shown: str, count: int) -> None:
    assert leaked("ghp_abcdefgh1234", shown) == count


def test_a_value_that_is_left_is_counted() -> None:
    texts = [with_values(1), with_values(2)]
    gone = [re.sub("|".join(map(re.escape, values_of(one))), "[X]", one) for one in texts]
    assert judged(BY_NAME["w4"], texts, gone) == {"redacted": 4}
    one_left = gone[0] + values_of(texts[0])[2]
    assert judged(BY_NAME["w4"], texts, [one_left, gone[1]]) == {"redacted": 3.5}


def test_a_call_is_stopped_on_both_ways() -> None:
    said = judged(BY_NAME["w2"], [], ["fine", "raised Blocked", "raised Blocked"])
    assert (said["passes"], said["stops_input"], said["stops_output"]) == (True, True, True)
    said = judged(BY_NAME["w2"], [], ["raised TypeError", "fine", "this is forbidden here"])
    assert (said["passes"], said["stops_input"], said["stops_output"]) == (False, False, False)


def test_hits_and_false_alarms() -> None:
    texts, wanted = hit_texts()
    never = judged(BY_NAME["hits"], texts, [False] * len(texts))
    assert (never["found"], never["hits"], never["false_alarms"], never["clean"]) == (0, 120, 0, 60)
    assert judged(BY_NAME["hits"], texts, wanted)["found"] == 120
    assert judged(BY_NAME["hits"], texts, [True] * len(texts))["false_alarms"] == 60


# --- the table


def _row(case: str, peer: str, how: str, us: float, **said: Any) -> dict[str, Any]:
    ratios = {"guardkit": us / 10, "re": us / 1000, "re2": us / 5}
    return {
        "case": case, "peer": peer, "mechanism": how, "us": us, "ratios": ratios, "judged": said,
    }  # fmt: skip


def _results() -> dict[str, Any]:
    all_found = {"found": 120, "hits": 120, "false_alarms": 0, "clean": 60}
    some_found = all_found | {"found": 90}
    broken = {"case": "w4", "peer": "other", "mechanism": "way", "error": "KeyError: 'x'\nmore"}
    return {
        "date": "2026-01-02",
        "rounds": 3,
        "machine": {
            "cpu": "a processor", "cores": 2, "python": "CPython 3.11",
            "load_before": 0.25, "load_after": None,
            "is_busy": False, "why_busy": "",
        },
        "versions": {"guardkit": {"guardkit": "9"}, "other": {"other": "1.2"}},
        "rows": [
            _row("w1", "other", "fast and wrong", 20.0),
            _row("w1", "other", "slow and right", 2500.0),
            _row("w1", "guardkit", "all", 10.0),
            _row("hits", "other", "fast and wrong", 1.0, **some_found),
            _row("hits", "other", "slow and right", 1.0, **all_found),
            _row("hits", "guardkit", "all", 1.0, **all_found),
            _row("w2", "other", "way", 30.0, passes=True, stops_input=True, stops_output=False),
            _row("w2", "guardkit", "all", 10.0, passes=True, stops_input=True, stops_output=True),
            broken,
        ],
        "missing": [{"peer": "other", "work": "stream", "why": "it has no streaming mode"}],
    }  # fmt: skip


def test_the_overview_takes_the_fastest_that_is_right_and_marks_who_is_not() -> None:
    lines = table(_results()).splitlines()
    heads = next(line for line in lines if line.startswith("| times guardkit"))
    other = next(line for line in lines if line.startswith("| other"))
    cells = dict(zip(heads.split(" | "), other.split(" | "), strict=True))
    assert cells["W1 1 KB"] == "250×"
    assert cells["W2"] == "3× †"
    assert cells["W3"] == "–"


def test_a_table_is_sorted_and_says_what_was_found() -> None:
    lines = table(_results()).splitlines()
    begin = lines.index("### W1: 100 patterns, 1 KB")
    first, second, third = lines[begin + 4 : begin + 7]
    assert first == "| guardkit | all | 10 µs | 1× | 0.01× | 2× | 120 of 120 | 0 of 60 |"
    assert "| 20 µs | 2× |" in second
    assert "| 90 of 120 |" in second
    assert "| 2.5 ms | 250× |" in third


def test_what_failed_and_what_is_missing_is_said() -> None:
    text = table(_results())
    assert "| other | way | failed: KeyError: 'x' |" in text
    assert "- other, W3: it has no streaming mode." in text
    assert "2026-01-02, 3 rounds in turns, a processor, 2 cores, CPython 3.11, load 0.2." in text


def test_a_document_keeps_what_is_around_the_marks() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    written = with_table(document, _results())
    assert written.startswith(f"before\n{BEGIN}\n")
    assert written.endswith(f"{END}\nafter\n")
    assert "old" not in written
    assert with_table(written, _results()) == written


@pytest.mark.parametrize("document", ["", BEGIN, END + BEGIN, BEGIN + END + END])
def test_a_document_without_its_marks_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        with_table(document, _results())


def test_the_readme_has_the_table_of_the_results() -> None:
    results = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    document = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert with_table(document, results) == document


# --- workers


def test_a_worker_answers_as_re_does_beside_its_floors() -> None:
    texts, wanted = hit_texts()
    asked = {"do": "measure", "work": "scan", "given": patterns(), "warm": texts[:2]}

    async def run() -> tuple[dict[str, Any], dict[str, Any]]:
        worker = Worker(
            PEERS[0],
        )
        try:
            told = await worker.ask({"do": "hello"})
            how = told["mechanisms"]["scan"][0]
            rest = {"mechanism": how, "items": texts[:40], "seconds": 20, "floors": True}
            return told, await worker.ask(asked | rest)
        finally:
            await worker.end()

    told, found = asyncio.run(run())
    assert "guardkit" in told["versions"]
    assert found["answers"] == wanted[:40]
    assert set(found["times"]) == {"peer", "re", "re2"}
    assert all(len(took) == 40 and min(took) > 0 for took in found["times"].values())


def test_a_worker_says_what_failed_and_goes_on() -> None:
    async def run() -> tuple[dict[str, Any], dict[str, Any]]:
        worker = Worker(PEERS[0])
        try:
            return await worker.ask({"do": "measure", "work": "none"}), await worker.ask(
                {"do": "hello"}
            )
        finally:
            await worker.end()

    failed, told = asyncio.run(run())
    assert failed["error"].startswith("TypeError")
    assert told["mechanisms"]


def test_a_worker_that_ends_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "ends.py"
    script.write_text("raise SystemExit(3)\n", encoding="utf-8")

    async def run() -> None:
        worker = Worker(Peer("guardkit", str(script), ()))
        await worker.ask({"do": "hello"})

    with pytest.raises(WorkerError, match=r"ended|gone"):
        asyncio.run(run())


def test_peers_cannot_see_this_repository() -> None:
    for peer in PEERS:
        assert ("PYTHONPATH" in variables(peer)) == (peer.name == "guardkit")
