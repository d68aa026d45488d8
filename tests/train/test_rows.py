"""Labelled texts: what is read, and that everything else is refused in one sentence."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from guardkit.errors import UsageError
from guardkit.train import Row, read_labelled, read_rows, write_rows


def lines(folder: Path, *rows: Any, name: str = "data.jsonl") -> Path:
    path = folder / name
    said = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(said) + "\n", encoding="utf-8")
    return path


GOOD: Any = [{"text": "a", "label": 1}, {"text": "b", "label": 0}]


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_labelled(path, "spam")
    said = str(caught.value)
    assert "\n" not in said
    assert not said.endswith(".")
    return said


def test_labels_of_0_and_1_are_one_label(tmp_path: Path) -> None:
    more = {"surface": "retrieved", "source": "s", "group": "g", "part": "b", "licence": "CC0-1.0"}
    found = read_labelled(lines(tmp_path, GOOD[0], {**GOOD[1], **more}), "spam")
    assert found.labels == ("spam",)
    assert found.rows == (
        Row("a", "input", {"spam": 1}),
        Row("b", "retrieved", {"spam": 0}, "s", "g", "b", 1.0, "CC0-1.0"),
    )


def test_names_are_labels_and_none_comes_first(tmp_path: Path) -> None:
    rows = [{"text": n, "label": n} for n in ("threat", "none", "insult", "none")]
    found = read_labelled(lines(tmp_path, *rows), "tone")
    assert found.labels == ("none", "insult", "threat")
    assert [row.truth["tone"] for row in found.rows] == [2, 0, 1, 0]


def test_the_surface_may_be_said_as_files_to_judge_say_it(tmp_path: Path) -> None:
    rows = [{**GOOD[0], "on": "output"}, GOOD[1]]
    assert read_labelled(lines(tmp_path, *rows), "spam").rows[0].surface == "output"


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_rows_are_written_and_read_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.jsonl{suffix}"
    rows = [
        Row("one", "input", {"a": 1, "b": 3}, "s", "g", "on", 0.5),
        Row("two \u2028 \ud800", "output", {"a": 0}),
    ]
    if suffix:
        rows = [row._replace(text=row.text.replace("\ud800", "")) for row in rows]
    else:
        rows = rows[:1]
    assert write_rows(path, rows) == len(rows)
    assert list(read_rows(path)) == rows


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "a"}, "data.jsonl:3: a row needs a `label`: 0, 1 or a name of one line"),
        ({"text": "a", "label": 2}, "a row needs a `label`"),
        ({"text": "a", "label": 0.5}, "a row needs a `label`"),
        ('{"text": "a", "label": NaN}', "a row needs a `label`"),
        ({"text": "a", "label": "two\nlines"}, "a row needs a `label`"),
        ({"text": "a", "label": ""}, "a row needs a `label`"),
        ({"text": "a", "label": "spam"}, "mixes labels that are names with 0 and 1"),
        ({"label": 1}, "data.jsonl:3: a row needs a `text`"),
        ({"text": None, "label": 1}, "a row needs a `text`"),
        ("[1]", "a row needs a `text`"),
        ("{", "data.jsonl:3: it is not JSON"),
        ("[" * 100_000, "data.jsonl:3: it is not JSON"),
        ({**GOOD[0], "surface": "inptu"}, "of no surface there is; did you mean `input`?"),
        ({**GOOD[0], "surface": 7}, "surfaces are input, retrieved"),
        ('{"text": "a", "label": 1, "weight": NaN}', "its `weight` is not between 0 and 1000"),
        ({**GOOD[0], "weight": -1}, "its `weight` is not between"),
        ({**GOOD[0], "weight": "x"}, "its `weight` is no number"),
        ({**GOOD[0], "source": 3}, "its `source` is no text"),
    ],
)
def test_what_is_no_row_is_refused(tmp_path: Path, row: Any, says: str) -> None:
    assert says in refusal(lines(tmp_path, *GOOD, row))


def test_a_file_must_say_something(tmp_path: Path) -> None:
    assert refusal(lines(tmp_path)) == "`data.jsonl` holds no texts"
    one = refusal(lines(tmp_path, GOOD[0], GOOD[0]))
    assert one == "every label in `data.jsonl` is 1: nothing to learn"
    names = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]
    assert "need `none` among them" in refusal(lines(tmp_path, *names))
    many = [{"text": "a", "label": f"l{n}"} for n in range(51)]
    assert "has 52 labels; 50 are the most" in refusal(
        lines(tmp_path, *many, {"text": "b", "label": "none"})
    )


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.jsonl") == "`no.jsonl` cannot be read: no such file or directory"
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "\xff", "label": 1}')
    assert refusal(tmp_path / "b.jsonl") == "`b.jsonl` is not UTF-8"
    for name, whole in (
        ("c.jsonl.gz", gzip.compress(b'{"text": "a", "label": 1}' * 99)),
        ("c.jsonl.xz", lzma.compress(b'{"text": "a", "label": 1}' * 99)),
    ):
        (tmp_path / name).write_bytes(whole[:-12])
        assert "cannot be read" in refusal(tmp_path / name)
        (tmp_path / name).write_bytes(b"no archive")
        assert "cannot be read" in refusal(tmp_path / name)


def test_no_text_is_quoted(tmp_path: Path) -> None:
    bad = {"text": "my secret", "label": "my secret label " * 9, "surface": "secret"}
    assert "secret" not in refusal(lines(tmp_path, *GOOD, bad))


def test_a_test_has_the_labels_of_its_head(tmp_path: Path) -> None:
    path = lines(tmp_path, {"text": "a", "label": "insult"})
    assert read_labelled(path, "tone", ("none", "insult")).rows[0].truth == {"tone": 1}
    with pytest.raises(UsageError, match="no label `insult`; did you mean `insults`"):
        read_labelled(path, "tone", ("none", "insults"))
    with pytest.raises(UsageError, match="labels of this head are names"):
        read_labelled(lines(tmp_path, GOOD[0]), "tone", ("none", "insult"))
