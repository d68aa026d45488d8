"""Corpora: what is named by files, folders and texts; which rows they have, from any place on."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from guardkit.batch import Corpus, Mark, corpus_of
from guardkit.batch._read import MOST_ROWS, Item, Reader
from guardkit.errors import UsageError
from guardkit.guard import BrokenRow, Case

from ._corpora import SECRET, jsonl

NOT_UTF8 = b"caf\xe9 " + SECRET.encode()


def corpus(*names: str | Path, **options: object) -> Corpus:
    return corpus_of([str(name) for name in names], **options)  # type: ignore[arg-type]


def read(*names: str | Path, start: Mark = Mark(), **options: object) -> list[Item]:  # noqa: B008
    return list(Reader(corpus(*names, **options), start))


def plain(items: list[Item]) -> list[tuple[str, str]]:
    """Ids, and texts or what is wrong."""
    return [
        (i.case.id, i.case.text if isinstance(i.case, Case) else f"! {i.case.why}") for i in items
    ]


def folder(path: Path) -> Path:
    """One of everything, in an order that is not that of their names."""
    (path / "b").mkdir(parents=True)
    (path / "z.txt").write_text("last\nof all\n")
    (path / "b" / "rows.jsonl").write_text('{"text": "one"}\n\n{"text": "two"}\n')
    (path / "b" / "bad.txt").write_bytes(NOT_UTF8)
    (path / "a.csv").write_text("id,text\n7,seven\n,eight\n")
    (path / "picture.png").write_bytes(b"\x89PNG")
    return path


# --- what is named


def test_files_folders_and_texts(tmp_path: Path) -> None:
    held = folder(tmp_path / "held")
    made = corpus("good day", held, tmp_path / "x.jsonl.gz", "-", "a.txt")
    assert [(s.kind, s.name) for s in made.sources] == [
        ("given", "text:1"),
        ("csv", "a.csv"),
        ("text", "b/bad.txt"),
        ("rows", "b/rows.jsonl"),
        ("text", "z.txt"),
        ("rows", str(tmp_path / "x.jsonl.gz")),
        ("stdin", "stdin"),
        ("text", "a.txt"),
    ]
    assert made.left_out == 1
    assert "good day" not in repr(made)
    assert not made.can_be_read_again
    assert corpus(held).can_be_read_again


def test_a_folder_is_read_in_one_order_and_to_its_last_file(tmp_path: Path) -> None:
    found = plain(read(folder(tmp_path / "held")))
    assert found == [
        ("7", "seven"),
        ("a.csv:3", "eight"),
        ("b/bad.txt", "! it is not UTF-8"),
        ("b/rows.jsonl:1", "one"),
        ("b/rows.jsonl:3", "two"),
        ("z.txt", "last\nof all\n"),
    ]
    assert SECRET not in str(found)


def test_a_text_that_is_no_name_of_anything() -> None:
    for text in ("", "x" * 5000, "nul\0", "hello"):
        assert corpus(text).sources[0].kind == "given"


def test_links_to_folders_are_not_followed_and_said(tmp_path: Path) -> None:
    held = folder(tmp_path / "held")
    (held / "loop").symlink_to(held, target_is_directory=True)
    made = corpus(held)
    assert made.left_out == 2
    assert len(made.sources) == 4


def test_a_file_of_a_folder_that_cannot_be_read_is_a_row_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    held = folder(tmp_path / "held")
    (held / "b" / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    (held / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n' * 99)[:-9])
    (held / "odd.csv").write_text("a,b\n1,2\n")
    found = dict(plain(read(held)))
    assert "no such file" in found["b/gone.jsonl"]
    assert "no whole gzip file" in found["cut.jsonl.gz"]
    assert "no column `text`" in found["odd.csv"]
    assert found["b/rows.jsonl:3"] == "two"
    with pytest.raises(UsageError, match="no whole gzip file"):
        read(held / "cut.jsonl.gz")


def test_the_identity_follows_names_sizes_and_times(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", 5)
    before = corpus(path).identity
    assert corpus(path).identity == before
    assert corpus(path, on="output").identity != before
    assert corpus(path, field="body").identity != before
    os.utime(path, ns=(1, 1))
    touched = corpus(path).identity
    assert touched != before
    path.write_bytes(path.read_bytes() + b"\n")
    os.utime(path, ns=(1, 1))
    assert corpus(path).identity not in (before, touched)


# --- from a place on


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    rows = [{"text": f"text {n}", "id": None if n % 2 else f"row{n}"} for n in range(9)]
    lines = [json.dumps(one) for one in rows]
    lines.insert(4, "")
    lines.insert(6, "{")
    made = {
        "jsonl": tmp_path / "a.jsonl",
        "gz": tmp_path / "a.jsonl.gz",
        "csv": tmp_path / "a.csv",
        "tsv": tmp_path / "a.tsv",
        "lines": tmp_path / "a.log",
        "folder": folder(tmp_path / "held"),
    }
    made["jsonl"].write_text("\n".join(lines))
    made["gz"].write_bytes(gzip.compress("\n".join(lines).encode()))
    made["csv"].write_text('text,id\n"a\nb",1\n\nonly\nc,"d"x\ne,2\n"""f""",\n')
    made["tsv"].write_text("n\ttext\n1\ta\n2\tb\n3\tc\td\n")
    made["lines"].write_bytes(b"a\n\n  \nb\n\xff\nc")
    return made


@pytest.mark.parametrize("kind", ["jsonl", "gz", "csv", "tsv", "lines", "folder"])
def test_from_every_place_the_rest_is_the_rest(files: dict[str, Path], kind: str) -> None:
    whole = read(files[kind], lines=kind == "lines")
    assert len(whole) >= 3
    for number, item in enumerate(whole, 1):
        rest = read(files[kind], start=item.mark, lines=kind == "lines")
        assert plain(rest) == plain(whole[number:])
        assert [one.mark for one in rest] == [one.mark for one in whole[number:]]


def test_from_every_place_of_a_parquet_file(tmp_path: Path) -> None:
    import pyarrow  # type: ignore[import-untyped,unused-ignore]
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    table = pyarrow.table({"body": [f"text {n}" for n in range(10)], "other": [0] * 10})
    parquet.write_table(table, path, row_group_size=3)
    whole = read(path, field="body")
    assert plain(whole) == [(f"a.parquet:{n + 1}", f"text {n}") for n in range(10)]
    for number in range(11):
        rest = read(path, field="body", start=Mark(0, number))
        assert plain(rest) == plain(whole[number:])
    assert [text for _, text in plain(read(path))] == ["! it has no `text`"] * 10


def test_a_file_that_breaks_off_is_one_row_and_never_two(tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    (held / "a.jsonl.gz").write_bytes(gzip.compress(os.urandom(9), 0)[:-3] + b"x")
    (held / "b.txt").write_text("good day")
    whole = read(held)
    assert [isinstance(item.case, BrokenRow) for item in whole][-2:] == [True, False]
    after = read(held, start=whole[-2].mark)
    assert plain(after) == [("b.txt", "good day")]


def test_what_was_read_before_an_error_is_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    # What a reader of gzip gives before it finds the end missing.
    path.write_bytes(gzip.compress(b'{"text": "x"}\n' * 20_000)[:-9])
    counts: list[int] = []
    blocks = (counts.append(len(block.items)) for block in Reader(corpus(path)).blocks())
    with pytest.raises(UsageError, match="no whole gzip file"):
        list(blocks)
    assert sum(counts) > 10_000


def test_blocks_are_bounded_by_rows_and_by_length(tmp_path: Path) -> None:
    few = jsonl(tmp_path / "few.jsonl", 2_000)
    assert max(len(block.items) for block in Reader(corpus(few)).blocks()) == MOST_ROWS
    long = tmp_path / "long.jsonl"
    long.write_text((json.dumps({"text": "x" * 400_000}) + "\n") * 9)
    assert [len(block.items) for block in Reader(corpus(long)).blocks()] == [3, 3, 3]
    ends = [block.position for block in Reader(corpus(few, long)).blocks()]
    assert ends == sorted(ends)
    assert ends[-1] <= corpus(few, long).size
