"""Files of labelled texts: what is read, what labels mean, what is sampled, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import UsageError
from guardkit.evals import Case, CaseFiles, Sample

SECRET = "zanzibar-marker"


def rows(path: Path, *given: object) -> Path:
    lines = [g if isinstance(g, bytes) else json.dumps(g).encode() for g in given]
    content = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(path: Path, **more: Any) -> list[Case]:
    return list(CaseFiles([path], **more))


# --- what is read


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz"])
def test_lines(tmp_path: Path, name: str) -> None:
    path = rows(
        tmp_path / name,
        {"text": "a", "label": 1, "id": 7, "source": "s", "meta": {"family": "f"}},
        {"text": "b", "label": False, "on": "output", "group": "g", "context": {"x": 1}},
    )
    one, two = read(path)
    assert (one.id, one.text, one.is_harmful, one.on) == ("7", "a", True, "input")
    assert (one.source, one.group) == ("s", "f")
    assert (two.id, two.is_harmful, two.on, two.source) == (f"{name}:2", False, "output", name)
    assert (two.group, two.context) == ("g", {"x": 1})


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"text": ["a", "b"], "label": [1.0, 0.0], "source": ["s", None]})
    parquet.write_table(table, tmp_path / "a.parquet")
    one, two = read(tmp_path / "a.parquet")
    assert (one.is_harmful, one.source) == (True, "s")
    assert (two.is_harmful, two.source) == (False, "a.parquet")


def test_blank_lines_and_a_mark_at_the_start_are_no_rows(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"text": "a", "label": 1}', b"", b"  ")
    assert len(read(path)) == 1


def test_several_files_are_one(tmp_path: Path) -> None:
    first = rows(tmp_path / "a.jsonl", {"text": "a", "label": 1})
    second = rows(tmp_path / "b.jsonl", {"text": "b", "label": 0})
    made = CaseFiles([first, second])
    assert [case.source for case in made] == ["a.jsonl", "b.jsonl"]
    assert made.count == made.available == 2


def test_a_case_does_not_show_its_text(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.jsonl", {"text": SECRET, "label": 1, "context": {"a": SECRET}})
    assert SECRET not in repr(read(path))


# --- labels


def meanings(tmp_path: Path, labels: list[object], **label_is: bool) -> list[bool]:
    path = rows(tmp_path / "a.jsonl", *({"text": "a", "label": label} for label in labels))
    return [case.is_harmful for case in read(path, label_is=label_is)]


def test_none_is_harmless_and_the_others_are_not(tmp_path: Path) -> None:
    assert meanings(tmp_path, ["none", "hate", "self harm"]) == [False, True, True]


def test_what_is_not_named_is_the_opposite(tmp_path: Path) -> None:
    assert meanings(tmp_path, ["ok", "hate", "none"], ok=False) == [False, True, True]
    assert meanings(tmp_path, ["ok", "hate", "none"], hate=True) == [False, True, False]


def test_the_name_of_a_label_is_kept(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.jsonl", {"text": "a", "label": "none"}, {"text": "b", "label": "x"})
    assert [case.category for case in read(path)] == ["none", "x"]


@pytest.mark.parametrize(
    ("labels", "label_is", "says"),
    [
        ([1, "x"], {}, "`a.jsonl`: labels that are names are mixed with 0 and 1"),
        (["x", "y"], {}, "nobody said what the label `x` means"),
        (["x", "y", "z"], {"x": True, "y": False}, "nobody said what the label `z` means"),
        (["harmful", "none"], {"harmfull": True}, "no text has the label `harmfull`; did you mean"),
        ([0, 1], {"x": True}, "labels are 0 and 1, so none of them needs a meaning"),
    ],
)
def test_labels_that_mean_nothing(
    tmp_path: Path, labels: list[object], label_is: dict[str, bool], says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        meanings(tmp_path, labels, **label_is)
    assert says in str(caught.value)


# --- samples


@pytest.fixture
def many(tmp_path: Path) -> list[dict[str, object]]:
    return [
        {"text": f"text {n}", "label": n % 2, "source": f"s{n % 3}", "id": n} for n in range(300)
    ]


def test_a_sample_depends_on_the_texts_and_not_on_their_order(
    tmp_path: Path, many: list[dict[str, object]]
) -> None:
    path, other = rows(tmp_path / "a.jsonl", *many), rows(tmp_path / "b.jsonl", *many[::-1])
    sample = Sample(most=40, seed=3)
    chosen = {case.id for case in read(path, sample=sample)}
    assert len(chosen) == 40
    assert chosen == {case.id for case in read(other, sample=sample)}
    assert chosen != {case.id for case in read(path, sample=Sample(most=40, seed=4))}


def test_at_most_so_many_of_a_source_and_label(
    tmp_path: Path, many: list[dict[str, object]]
) -> None:
    made = CaseFiles([rows(tmp_path / "a.jsonl", *many)], sample=Sample(per_source=5))
    assert (made.count, made.available) == (30, 300)
    cases = list(made)
    for source in ("s0", "s1", "s2"):
        mine = [case.is_harmful for case in cases if case.source == source]
        assert (mine.count(True), mine.count(False)) == (5, 5)


def test_a_sample_keeps_the_order_of_the_file(
    tmp_path: Path, many: list[dict[str, object]]
) -> None:
    cases = read(rows(tmp_path / "a.jsonl", *many), sample=Sample(most=50))
    assert [int(case.id) for case in cases] == sorted(int(case.id) for case in cases)


# --- what is refused: one sentence, and none of the text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"text": SECRET}, "a.jsonl:2: it has no `label`"),
        ({"text": SECRET, "label": None}, "a.jsonl:2: it has no `label`"),
        ({"text": SECRET, "label": 2}, "a.jsonl:2: its `label` is neither 0, 1"),
        ({"text": SECRET, "label": "two\nlines"}, "a.jsonl:2: its `label` is neither 0, 1"),
        ({"text": SECRET, "label": [1]}, "a.jsonl:2: its `label` is neither 0, 1"),
        ({"label": 1}, "a.jsonl:2: it has no `text`"),
        ({"text": 5, "label": 1}, "a.jsonl:2: it has no `text`"),
        ({"text": SECRET, "label": 1, "on": "moon"}, "a.jsonl:2: `on` names no surface"),
        ({"text": SECRET, "label": 1, "on": ["input"]}, "a.jsonl:2: `on` names no surface"),
        ({"text": SECRET, "label": 1, "on": "conversation"}, "a.jsonl:2: `on` names no surface"),
        ({"text": SECRET, "label": 1, "context": SECRET}, "a.jsonl:2: `context` is no object"),
        ({"text": SECRET, "label": 1, "session": 4}, "a.jsonl:2: `session` is no text"),
        ({"text": SECRET, "label": 1, "sources": {"retrieved": SECRET}}, "`sources` holds lists"),
        ([SECRET], "a.jsonl:2: it is no object"),
        (f'{{"text": "{SECRET}"'.encode(), "a.jsonl:2: it is not JSON"),
        (b"[" * 100_000, "a.jsonl:2: it is not JSON"),
        (b'{"text": "\xff", "label": 1}', "a.jsonl:2: it is not UTF-8"),
    ],
)
def test_a_row_that_is_none(tmp_path: Path, line: object, says: str) -> None:
    path = rows(tmp_path / "a.jsonl", {"text": "a", "label": 1}, line)
    with pytest.raises(UsageError) as caught:
        CaseFiles([path])
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardkit.guard._case_files.MOST_LINE", 1 << 20)
    path = rows(tmp_path / "a.jsonl", {"text": "a" * (2 << 20), "label": 1})
    with pytest.raises(UsageError, match=r"a\.jsonl:1: it is longer than 1 MB"):
        CaseFiles([path])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", "a.txt` is no file of texts: those end in .jsonl, "),
        ("a.jsonl", b"\x00\x01\xff\xfe", "a.jsonl:1: it is not UTF-8"),
        ("a.jsonl.gz", b"no gzip at all", "a.jsonl.gz` is no whole gzip file"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"text": "a", "label": 1}\n' * 99, mtime=0)[:-9],
            "no whole gzip",
        ),
        ("a.parquet", b"PAR1 or not", "a.parquet` is not Parquet"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        CaseFiles([tmp_path / name])
    assert says in str(caught.value)


def test_a_file_that_is_missing_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.jsonl` cannot be read: no such file"):
        CaseFiles([tmp_path / "no.jsonl"])
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UsageError, match=r"folder\.jsonl` is no file"):
        CaseFiles([tmp_path / "folder.jsonl"])
