"""`guardkit eval`: the report, JSON, HTML, gates, and how a run ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ._run import SMALL, WRONG, Done, guardkit

POLICY = SMALL.partition("\ntest ")[0] + "\n"
MODULE = """\
guardkit 1
module near
  version "1"

check near = similarity {
  examples ["how do I open this door"]
}

check size = length { }
"""
SECRET = "quicksilver-marmalade"
REPORT = """\
small on rows.jsonl
6 texts: 3 harmful, 3 benign (input 6)

verdicts               harmful    benign
block                        2         1
pass                         1         2

policy                texts               found        false alarms  prec.    F1
stopped                   6   66.7% (20.8-93.9)    33.3% (6.1-79.2)  66.7% 0.667

rules                 texts               found        false alarms  prec.    F1
no_greeting               6   66.7% (20.8-93.9)    33.3% (6.1-79.2)  66.7% 0.667

checks                texts               found        false alarms  prec.    F1
greeting                  6   66.7% (20.8-93.9)    33.3% (6.1-79.2)  66.7% 0.667

the policy, by source
source                       texts               found        false alarms
rows.jsonl                       5 100.0% (34.2-100.0)    33.3% (6.1-79.2)
elsewhere                        1     0.0% (0.0-79.3)                   -

missed, the worst first
  rows.jsonl:3

stopped by mistake, the worst first
  rows.jsonl:4

note: 3 harmful texts are few: mind the intervals
note: 3 benign texts are few: mind the intervals
"""


def rows(path: Path, *given: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    texts = [
        ("hello there", 1),
        ("hello you", 1),
        (f"good day {SECRET}", 1),
        (f"hello {SECRET}", 0),
        ("a", 0),
        ("b", 0),
    ]
    given = [{"text": text, "label": label} for text, label in texts]
    given[2]["source"] = "elsewhere"
    return rows(tmp_path / "rows.jsonl", *given)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "small.guard"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "std" / "near" / "near.guard"
    path.parent.mkdir(parents=True)
    path.write_text(MODULE, encoding="utf-8")
    return path


# --- what is written


def test_the_report(policy: Path, data: Path) -> None:
    done = guardkit("eval", policy, data)
    assert done.out == REPORT
    assert (done.code, done.err) == (0, "")
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_scores_in_80_columns(module: Path, data: Path) -> None:
    done = guardkit("eval", module, data, "--cost-miss", "2000", "--cost-alarm", "100")
    assert done.code == 0
    assert "near: what each threshold comes to" in done.out
    assert "the least cost:" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_a_module_by_its_name(module: Path, data: Path) -> None:
    done = guardkit("eval", "std/near", data, "--std", module.parents[1], "--json")
    made = json.loads(done.out)
    assert [one["name"] for one in made["subjects"]] == ["near", "size"]


def test_json(policy: Path, data: Path) -> None:
    done = guardkit("eval", policy, data, "--json")
    made = json.loads(done.out)
    assert (made["texts"], made["harmful"], made["files"]) == (6, 3, ["rows.jsonl"])
    assert made["subjects"][0]["counts"]["found"] == 2
    assert made["subjects"][0]["missed_ids"] == ["rows.jsonl:3"]


def test_html(policy: Path, data: Path, tmp_path: Path) -> None:
    done = guardkit("eval", policy, data, "--html", tmp_path / "report.html", "-q")
    assert (done.code, done.err) == (0, "")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "66.7" in page


def test_nothing_that_is_written_holds_a_text(policy: Path, data: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    for more in ([], ["--json"], ["--html", page]):
        done = guardkit("eval", policy, data, *more)
        assert SECRET not in done.out + done.err
    assert SECRET not in page.read_text(encoding="utf-8")


def test_labels_that_are_names(policy: Path, tmp_path: Path) -> None:
    given = [{"text": "hello", "label": "rude"}, {"text": "a", "label": "fine"}]
    path = rows(tmp_path / "a.jsonl", *given)
    done = guardkit("eval", policy, path, "--label-is", "rude=1", "--json")
    assert json.loads(done.out)["subjects"][0]["counts"]["found"] == 1
    assert guardkit("eval", policy, path).code == 2


def test_a_sample_says_what_it_is(policy: Path, tmp_path: Path) -> None:
    given = [{"text": f"hello {n}", "label": n % 2, "source": f"s{n % 2}"} for n in range(20)]
    path = rows(tmp_path / "a.jsonl", *given)
    done = guardkit("eval", policy, path, "--per-source", "3", "--limit", "5", "--seed", "4")
    assert "5 of 20 texts, by chance (seed 4), at most 3 of one source and label" in " ".join(
        done.out.split()
    )


def test_the_surface_of_texts_that_name_none(policy: Path, data: Path) -> None:
    done = guardkit("eval", policy, data, "--on", "retrieved", "--json")
    made = json.loads(done.out)
    assert made["surfaces"] == {"retrieved": 6}
    assert made["subjects"][0]["counts"]["found"] == 0


# --- gates and other endings


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--fail-under", "recall=0.6"], 0, ""),
        (["--fail-under", "recall=0.7"], 1, "`recall` is 0.6667, under 0.7"),
        (["--fail-over", "false_alarms=0.3"], 1, "`false_alarms` is 0.3333, over 0.3"),
        (["--fail-under", "no_greeting:f1=0.9"], 1, "`no_greeting:f1` is 0.6667, under 0.9"),
        (["--fail-under", "precision=0.1"], 0, ""),
        (["--fail-under", "auc=0.5"], 3, "`auc` cannot be told from these texts"),
        (["--fail-under", "nobody:f1=0.5"], 3, "`nobody:f1` cannot be told from these texts"),
        (["--fail-under", "recal=0.5"], 2, "did you mean `recall`?"),
        (["--fail-under", "recall=2"], 2, "a bound is between 0 and 1"),
        (["--fail-under", "recall"], 2, "a bound is between 0 and 1"),
        (["--fail-under", "recall=nan"], 2, "a bound is between 0 and 1"),
        (["--label-is", "rude"], 2, "`rude` is not NAME=1 or NAME=0"),
        (["--label-is", "rude=1"], 2, "labels are 0 and 1, so none of them needs a meaning"),
        (["--cost-miss", "0", "--cost-alarm", "0"], 2, "mistakes that cost nothing"),
        (["--html", "no/such/folder/a.html"], 2, "cannot be written: no such folder"),
    ],
)
def test_endings(policy: Path, data: Path, options: list[str], code: int, says: str) -> None:
    done = guardkit("eval", policy, data, *options)
    assert (done.code, says in " ".join(done.err.split())) == (code, True)


def one_sentence(done: Done) -> str:
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert done.out == ""
    return line


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"text": "quicksilver-marmalade"}', "rows.jsonl:1: it has no `label`"),
        (b'{"text": "a", "label": 1}\n{"text": "b", "label": "x"}', "names are mixed with 0 and 1"),
        (b"quicksilver-marmalade", "rows.jsonl:1: it is not JSON"),
        (b"\x00\x9f\x92\x96", "rows.jsonl:1: it is not UTF-8"),
        (b'["quicksilver-marmalade"]', "rows.jsonl:1: it is no object"),
    ],
)
def test_data_that_is_wrong(policy: Path, tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    done = guardkit("eval", policy, path)
    assert done.code == 2
    assert says in one_sentence(done)
    assert SECRET not in done.err


def test_data_without_texts(policy: Path, tmp_path: Path) -> None:
    done = guardkit("eval", policy, rows(tmp_path / "empty.jsonl"))
    assert (done.code, done.out, done.err) == (5, "", "there are no texts\n")


def test_data_that_is_missing(policy: Path, tmp_path: Path) -> None:
    done = guardkit("eval", policy, tmp_path / "no.jsonl")
    assert done.code == 2
    assert "no.jsonl` cannot be read: no such file" in one_sentence(done)


def test_a_policy_that_does_not_compile(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "wrong.guard"
    path.write_text(WRONG, encoding="utf-8")
    done = guardkit("eval", path, data)
    assert done.code == 2
    assert "greting" in done.err


def test_a_text_that_could_not_be_judged(policy: Path, tmp_path: Path) -> None:
    given = [{"text": "x" * 4_000_001, "label": 1}, {"text": "hello", "label": 1}]
    done = guardkit("eval", policy, rows(tmp_path / "a.jsonl", *given))
    assert done.code == 3
    assert "1 could not be judged and are in no figure:" in done.out
    assert "a.jsonl:1: the text has 4,000,001 characters" in done.out


def test_a_check_that_could_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "part.guard"
    path.write_text(
        'guardkit 1\nmodule part\n  version "1"\n\ncheck parrot = echo {\n  of retrieved\n}\n',
        encoding="utf-8",
    )
    given = [
        {"text": "hello", "label": 1},
        {"text": "the sun is a star", "label": 1, "sources": {"retrieved": ["hi"]}},
    ]
    done = guardkit("eval", path, rows(tmp_path / "a.jsonl", *given), "--json")
    made = json.loads(done.out)
    assert (done.code, made["subjects"][0]["unknown"]) == (3, 1)
    assert made["subjects"][0]["counts"]["missed"] == 1
