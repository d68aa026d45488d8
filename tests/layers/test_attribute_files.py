"""Files of exchanges are attributed in their order, and a run can be gone on with."""

from __future__ import annotations

import gc
import gzip
import json
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from guardkit.errors import UsageError
from guardkit.layers import (
    Attribution,
    Deployment,
    ExchangeRow,
    Kept,
    Summary,
    Unread,
    aattribute_all,
    asked,
    attribute_all,
    exchanges_of,
    file_digest,
)

from ._planted import ANSWERS, FORBIDS, IDLE, REFUSES, guard_of, rule, scripted

POLICY = IDLE + FORBIDS + rule("no_boats", "input", "boat")
SAID = "plover-canary-7531"


def written(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def rows_of(count: int, text: str = "how is a bird fed") -> list[ExchangeRow]:
    return [ExchangeRow(f"r{at}", at, asked(text), "answer") for at in range(1, count + 1)]


def plain(made: Attribution) -> dict[str, object]:
    return {**made.as_dict(), "elapsed_s": 0}


# --- rows


def test_rows_of_every_shape_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path / "rows.jsonl",
        {"text": "one"},
        {"text": "two", "id": "second", "expect": "refuse", "context": {"team": "red"}},
        {"messages": [{"role": "user", "content": "three"}], "reply": "so it is"},
        {"turns": ["first", "four"], "documents": ["a page"]},
        {"text": "a page", "on": "retrieved", "ask": "five"},
        {"text": '{"q": 1}', "on": "tool_call", "tool": "find", "ask": "six"},
    )
    rows = [row for row in exchanges_of(path) if isinstance(row, ExchangeRow)]
    assert [row.said.question for row in rows] == ["one", "two", "three", "four", "five", "six"]
    assert [row.id for row in rows][:2] == ["rows.jsonl:1", "second"]
    assert rows[1].expect == "refuse"
    assert rows[1].said.facts == {"team": "red"}
    assert rows[2].said.reply == "so it is"
    assert len(rows[3].said.messages) == 2
    assert rows[3].said.documents == ("a page",)
    assert rows[4].said.documents == ("a page",)
    assert rows[5].said.reply is not None
    assert "three" not in repr(rows[2])


BAD: tuple[tuple[object, str], ...] = (
    ([], "it is no object"),
    ({}, "it has no `text`, `messages` or `turns`"),
    ({"text": 7}, "`text` is no text"),
    ({"text": "a", "messages": []}, "`messages` stand for themselves"),
    ({"messages": []}, "`messages` is no list of messages"),
    ({"messages": [{"role": "boss", "content": SAID}]}, "`messages` is no list of messages"),
    ({"turns": [SAID, 7]}, "`turns` is no list of texts"),
    ({"turns": []}, "it has no `text`"),
    ({"text": SAID, "documents": SAID}, "`documents` is no list of texts"),
    ({"text": SAID, "on": "conversation"}, "`on` names no surface"),
    ({"text": SAID, "on": "moon"}, "`on` names no surface"),
    ({"text": SAID, "reply": 7}, "`reply` is neither"),
    ({"text": SAID, "on": "output", "reply": "x"}, "a text on this surface is the reply"),
    ({"text": SAID, "expect": "both"}, "`expect` is neither"),
    ({"text": SAID, "context": []}, "`context` is no object"),
    ({"text": SAID, "tool": 1}, "`tool` is no text"),
)


@pytest.mark.parametrize(("row", "why"), BAD)
def test_a_bad_row_is_told_by_its_line_and_quoted_nowhere(
    tmp_path: Path, row: object, why: str
) -> None:
    path = written(tmp_path / "rows.jsonl", {"text": "fine"}, row)
    good, bad = exchanges_of(path)
    assert isinstance(good, ExchangeRow)
    assert isinstance(bad, Unread)
    assert bad.id == "rows.jsonl:2"
    assert why in bad.why
    assert SAID not in repr(bad)


def test_lines_that_are_no_json_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "a"}\n\n{torn\n\xff\xfe\n' + b"[" * 100_000 + b"\n")
    found = list(exchanges_of(path))
    assert [type(row).__name__ for row in found] == ["ExchangeRow", *["Unread"] * 3]
    assert [row.why for row in found if isinstance(row, Unread)] == [
        "it is not JSON",
        "it is not UTF-8",
        "it is not JSON",
    ]


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 100)[:-9])
    for name, why in (
        ("gone.jsonl", "no such file"),
        ("rows.csv", "no file of exchanges"),
        ("torn.jsonl.gz", "no whole gzip file"),
    ):
        with pytest.raises(UsageError, match=why):
            list(exchanges_of(tmp_path / name))


# --- many


def test_findings_come_in_the_order_of_the_rows_whoever_is_ready_first() -> None:
    async def model(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        text = str(messages[-1]["content"])
        await anyio.sleep(0.03 if "slow" in text else 0.001)
        return REFUSES

    rows = [
        ExchangeRow(f"r{at}", at, asked("slow one" if at % 3 == 0 else "fast one"), "answer")
        for at in range(9)
    ]
    heard: list[str] = []
    attribute_all(
        Deployment(guard_of(IDLE), model),
        rows,
        at_once=4,
        each=lambda made: heard.append(made.id),
    )
    assert heard == [row.id for row in rows]


def test_many_are_counted_by_layer_and_rule(tmp_path: Path) -> None:
    path = written(
        tmp_path / "rows.jsonl",
        *[{"text": "how do I caulk a dinghy", "expect": "answer"}] * 3,
        *[{"text": "how is a bird fed", "expect": "answer"}] * 2,
        {"text": "a thing", "expect": "refuse"},
        {"text": "another", "expect": "answer", "reply": ANSWERS},
        {"no": "text"},
    )
    model = scripted(1, obeys=1)
    made = attribute_all(Deployment(guard_of(POLICY), model), exchanges_of(path))
    assert made.exchanges == 7
    counts = {(g.layer, g.by, g.judgement): g.exchanges for g in made.groups}
    assert counts["input", "rule no_boats", "over-refusal"] == 3
    assert counts["context", "refusal full", "over-refusal"] == 2
    assert counts["context", "refusal full", "correct refusal"] == 1
    assert (made.findings, made.unjudged, made.rows_unread) == (5, 0, 1)
    assert [row.id for row in made.unread] == ["rows.jsonl:8"]
    assert json.dumps(made.as_dict())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_asyncio_and_trio_agree_on_files(backend: str) -> None:
    heard: list[dict[str, object]] = []

    async def run() -> Summary:
        return await aattribute_all(
            Deployment(guard_of(POLICY), scripted(1, obeys=1)),
            rows_of(6),
            each=lambda made: heard.append(plain(made)),
        )

    made = anyio.run(run, backend=backend)
    assert (made.exchanges, made.runs) == (6, 96)
    assert [one["layer"] for one in heard] == ["context"] * 6


def test_an_error_of_who_listens_is_raised_as_it_is() -> None:
    def gone(made: Attribution) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        attribute_all(Deployment(guard_of(IDLE), scripted(1)), rows_of(3), each=gone)


def test_memory_does_not_grow_with_the_exchanges() -> None:
    deployment = Deployment(guard_of(POLICY))

    def peak(count: int) -> int:
        def lazily() -> Iterator[ExchangeRow]:
            for at in range(count):
                if at % 50 == 0:
                    gc.collect()  # blocks are raised, and errors hold on to their frames
                yield ExchangeRow(f"r{at}", at, asked("how do I caulk a dinghy"), "answer")

        tracemalloc.start()
        try:
            attribute_all(deployment, lazily())
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(800) < 1.3 * peak(200) + 20_000


# --- kept


def test_what_is_kept_is_not_had_again(tmp_path: Path) -> None:
    out, key = tmp_path / "out.jsonl", {"policy": "p"}
    whole: list[dict[str, object]] = []
    deployment = Deployment(guard_of(POLICY), scripted(1, obeys=1))
    with Kept(out, key) as kept:
        attribute_all(
            deployment, rows_of(6), kept=kept, each=lambda made: whole.append(plain(made))
        )
    lines = out.read_bytes().splitlines(keepends=True)
    assert len(lines) == 7
    # The process died in the middle of the fourth line.
    out.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    again: list[dict[str, object]] = []
    calls: list[int] = []
    with Kept(out, key, resumes=True) as kept:
        made = attribute_all(
            deployment,
            rows_of(6),
            kept=kept,
            each=lambda made: again.append(plain(made)),
            told=lambda done, runs: calls.append(runs),
        )
    assert again == whole
    assert made.exchanges == 6
    assert max(calls) == 3 * 16, "three were there already"
    ids = [json.loads(line)["made"]["id"] for line in out.read_bytes().splitlines()[1:]]
    assert ids == [f"r{at}" for at in range(1, 7)]


def test_a_file_that_is_not_of_this_run_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Kept(out, {"policy": "one", "seed": 0}):
        pass
    with pytest.raises(UsageError, match="is there"):
        Kept(out, {"policy": "one", "seed": 0})
    with pytest.raises(UsageError, match="another policy"):
        Kept(out, {"policy": "two", "seed": 0}, resumes=True)
    with pytest.raises(UsageError, match="another policy, another seed"):
        Kept(out, {"policy": "two", "seed": 1}, resumes=True)
    out.write_text('{"text": "something else"}\n')
    with pytest.raises(UsageError, match="no attributions"):
        Kept(out, {"policy": "one"}, resumes=True)
    for junk in (b"{\n", b"[1]\n", b'{"line": 1}\n', b"\xff\n"):
        with Kept(tmp_path / "new.jsonl", {"policy": "one"}, resumes=True):
            pass
        with (tmp_path / "new.jsonl").open("ab") as file:
            file.write(junk)
        with pytest.raises(UsageError, match="damaged in line 2"):
            Kept(tmp_path / "new.jsonl", {"policy": "one"}, resumes=True)
        (tmp_path / "new.jsonl").unlink()
    with pytest.raises(UsageError, match="cannot be written"):
        Kept(tmp_path / "nowhere" / "out.jsonl", {})


def test_a_file_that_holds_half_a_head_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(b'{"format": "guard')
    with Kept(out, {"policy": "one"}, resumes=True) as kept:
        assert list(kept.finished()) == []
    assert out.read_bytes().endswith(b'"one"}\n')


def test_no_text_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    rows = [
        ExchangeRow("a", 1, asked(SAID), "answer"),
        ExchangeRow("b", 2, asked(f"dinghy {SAID}"), "answer"),
    ]
    with Kept(out, {}) as kept:
        attribute_all(
            Deployment(guard_of(POLICY), scripted(1, reply=SAID)), rows, kept=kept, repeats=3
        )
    assert SAID not in out.read_text()
    assert len(file_digest(out)) == 64
