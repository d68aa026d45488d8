"""Case files: what every reader of texts takes, what it refuses, and that it quotes nothing."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, Case, case_file, cases_in, cases_of, text_of, texts_of

LIMIT = "guardkit.guard._case_files.MOST_LINE"
SECRET = "zanzibar-marker"
ROW = {
    "text": "a",
    "id": 7,
    "on": "output",
    "context": {"x": 1},
    "session": "s",
    "tool": "t",
    "label": 1,
    "source": "web",
}


def lines(*given: object) -> bytes:
    return b"".join((g if isinstance(g, bytes) else json.dumps(g).encode()) + b"\n" for g in given)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def parquet(path: Path, **columns: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table(columns), path)
    return path


def read(path: Path) -> list[Case | BrokenRow]:
    return list(cases_of(path, "input"))


def refusal(rows: Iterator[object]) -> str:
    with pytest.raises(UsageError) as caught:
        list(rows)
    said = str(caught.value)
    assert SECRET not in said
    assert "\n" not in said
    assert not said.endswith(".")
    return said


# --- what is read


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.ndjson.gz", "a.txt"])
def test_lines(tmp_path: Path, name: str) -> None:
    mark = b"\xef\xbb\xbf"
    content = mark + lines(ROW, b"", b"  \r", b'{"text": "b"}\r', {"text": "c", "on": None})
    first, second, third = read(write(tmp_path / name, content))
    assert first == Case("7", "a", "output", {"x": 1}, "s", "t", 1, 1, ROW)
    assert second == Case(f"{name}:4", "b", "input", line=4, row={"text": "b"})
    assert (third.id, third.line) == (f"{name}:5", 5)


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    assert len(read(write(tmp_path / "a.jsonl", lines(ROW) + b'{"text": "b"}'))) == 2
    assert read(write(tmp_path / "b.jsonl", b"")) == []


def test_parquet_is_read_as_lines_are(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        text=["a", "b", None],
        id=["x", None, None],
        on=["output", None, None],
        context=[{"x": 1}, None, None],
        label=[1.0, None, None],
        embedding=[[0.5] * 9] * 3,
    )
    first, second, third = read(path)
    assert isinstance(first, Case)
    assert (first.id, first.on, first.context, first.label) == ("x", "output", {"x": 1}, 1.0)
    assert "embedding" not in first.row
    assert (second.id, second.line) == ("a.parquet:2", 2)
    assert third == BrokenRow("a.parquet:3", 3, "it has no `text`")


def test_parquet_without_texts_has_no_case(tmp_path: Path) -> None:
    found = read(parquet(tmp_path / "a.parquet", words=["a", "b"]))
    assert [row.why for row in found if isinstance(row, BrokenRow)] == ["it has no `text`"] * 2


def test_bytes_of_parquet_that_are_no_text_cost_one_row(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    bad = pa.array([b"a", b"\xff", b"c"]).view(pa.utf8())
    found = read(parquet(tmp_path / "a.parquet", text=bad))
    assert [getattr(row, "text", None) for row in found] == ["a", None, "c"]
    assert found[1] == BrokenRow("a.parquet:2", 2, "it is not UTF-8")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_data_file_of_a_policy_names_its_lines(pack: Any) -> None:
    name = "a.jsonl" if pack is bytes else "a.jsonl.gz"
    found = list(cases_in(pack(lines({"text": "a"}, b"", {"txt": 1})), name, "retrieved"))
    assert found[0] == Case("line 1", "a", "retrieved", line=1, row={"text": "a"})
    assert found[1] == BrokenRow("line 3", 3, "it has no `text`")


def test_a_data_file_of_a_policy_may_be_parquet(tmp_path: Path) -> None:
    content = parquet(tmp_path / "a.parquet", text=["a"]).read_bytes()
    (found,) = cases_in(content, "cases/a.parquet", "input")
    assert (found.id, found.line) == ("line 1", 1)


def test_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMIT, 9)
    given = io.BytesIO("one\r\n\n  \nz\u2028w\n".encode() + b"\xff\n" + b"x" * 40 + b"\nend")
    assert list(texts_of(given, "stdin", "output")) == [
        Case("stdin:1", "one", "output", line=1),
        Case("stdin:4", "z\u2028w", "output", line=4),
        BrokenRow("stdin:5", 5, "it is not UTF-8"),
        BrokenRow("stdin:6", 6, "it is longer than 0 MB"),
        Case("stdin:7", "end", "output", line=7),
    ]


def test_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIMIT, 9)
    assert text_of(io.BytesIO(b"a\nb\n"), "stdin", "input") == Case(
        "stdin", "a\nb\n", "input", line=1
    )
    for content, why in ((b"\xff", "it is not UTF-8"), (b"x" * 10, "it is longer than 0 MB")):
        assert text_of(io.BytesIO(content), "stdin", "input") == BrokenRow("stdin", 1, why)


def test_a_case_shows_none_of_its_text(tmp_path: Path) -> None:
    row = ROW | {"text": SECRET, "context": {"a": SECRET}, "session": SECRET, "label": SECRET}
    (found,) = read(write(tmp_path / "a.jsonl", lines(row)))
    assert SECRET not in repr(found)


# --- memory


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_is_never_held_whole(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, lines({"text": "x" * 10_000}) * 2_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in cases_of(path, "input")) == 2_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_line_without_end_costs_itself_and_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LIMIT, 1 << 20)
    path = write(
        tmp_path / "a.jsonl.gz", lines({"text": "a"}, {"text": "x" * (30 << 20)}, {"text": "b"})
    )
    tracemalloc.start()
    try:
        found = read(path)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert [getattr(row, "why", None) for row in found] == [None, "it is longer than 1 MB", None]
    assert [row.line for row in found] == [1, 2, 3]


def test_what_a_policy_reads_may_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardkit.guard._case_files.MAX_DATA_BYTES", 1_000_000)
    bomb = gzip.compress(lines({"text": SECRET}) * 100_000)
    assert len(bomb) < 100_000
    said = refusal(cases_in(bomb, "a.jsonl.gz", "input"))
    assert said == "`a.jsonl.gz` unpacks to more than 1 MB"


# --- what is no row: said, and the next one is read


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f'{{"text": "{SECRET}"'.encode(), "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"text": "a", "id": ' + b"9" * 9_000 + b"}", "it is not JSON"),
        (b'{"text": "\xff"}', "it is not UTF-8"),
        ([SECRET], "it is no object"),
        (None, "it is no object"),
        ({"txt": SECRET}, "it has no `text`"),
        ({"text": [SECRET]}, "it has no `text`"),
        ({"text": SECRET, "on": SECRET}, "`on` names no surface"),
        ({"text": SECRET, "on": ["input"]}, "`on` names no surface"),
        ({"text": SECRET, "on": "conversation"}, "`on` names no surface"),
        ({"text": SECRET, "context": [SECRET]}, "`context` is no object"),
        ({"text": SECRET, "session": 1}, "`session` is no text"),
        ({"text": SECRET, "tool": {}}, "`tool` is no text"),
    ],
)
def test_a_broken_row(tmp_path: Path, line: object, why: str) -> None:
    path = write(tmp_path / "a.jsonl", lines({"text": "a"}, line, {"text": "b"}))
    first, broken, last = read(path)
    assert broken == BrokenRow("a.jsonl:2", 2, why)
    assert [getattr(first, "text", ""), getattr(last, "text", "")] == ["a", "b"]


def test_an_id_may_be_anything(tmp_path: Path) -> None:
    deep = b'{"text": "a", "id": ' + b"[" * 700 + b"]" * 700 + b"}"
    found = read(write(tmp_path / "a.jsonl", lines({"text": "a", "id": {"$oid": "5"}}, deep)))
    assert [type(row) for row in found] == [Case, Case]
    assert found[0].id == "{'$oid': '5'}"


# --- what is no file


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl.gz", b"no gzip", "is no whole gzip file"),
        (
            "a.jsonl.gz",
            gzip.compress(lines({"text": SECRET}) * 99, mtime=0)[:-9],
            "is no whole gzip file",
        ),
        (
            "a.jsonl.gz",
            gzip.compress(lines(ROW), mtime=0)[:12] + b"\xff" * 20,
            "is no whole gzip file",
        ),
        ("a.parquet", b"PAR1 or not", "is not Parquet"),
        ("a.parquet", b"", "is not Parquet"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(cases_of(path, "input")) == f"`{path.as_posix()}` {says}"
    assert refusal(cases_in(content, name, "input")) == f"`{name}` {says}"


def test_parquet_that_breaks_off_inside(tmp_path: Path) -> None:
    texts = [f"{SECRET} {n}" for n in range(9_000)]
    path = parquet(tmp_path / "a.parquet", text=texts)
    content = bytearray(path.read_bytes())
    content[1_000:9_000] = b"\xff" * 8_000
    path.write_bytes(bytes(content))
    assert refusal(cases_of(path, "input")).endswith("` is not Parquet")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    assert refusal(cases_of(tmp_path / "no.jsonl", "input")).endswith(
        "no.jsonl` cannot be read: no such file or directory"
    )
    assert "is a directory" in refusal(cases_of(tmp_path, "input"))
    assert "file name too long" in refusal(cases_of(tmp_path / ("x" * 999), "input"))


def test_the_name_of_a_case_file() -> None:
    assert case_file("logs/a.jsonl.gz") == Path("logs/a.jsonl.gz")
    with pytest.raises(UsageError, match=r"^`a\.gz` is no file of texts: those end in \.jsonl, "):
        case_file("a.gz")
