"""`guardkit attribute`: who made an exchange what it is, for people and for programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ..layers._served import served
from ._run import START, guardkit, plain, process

POLICY = """\
guardkit 1
policy hats
  title   "Hats"
  owner   "me@example.com"
  version "1"

check dinghy = pattern { match /\\bdinghy\\b/i  label "dinghy" }
check plover = pattern { match /\\bplover\\b/i  label "plover" }
context { say "You sell hats, and never speak of birds." }
model { answers plover  refuses dinghy }
rule no_boats {
  tier safety
  on   input
  when dinghy
  then block "No boats."
}
rule birds_seen {
  tier safety
  mode shadow
  on   output
  when plover
  then block "No birds."
}
"""
STACKS = '''\
"""Models that are known."""
import time

REFUSES = "I'm sorry, but I can't help with that."

def obeys(messages):
    is_told = messages[0]["role"] == "system"
    return REFUSES if is_told else "The canary-7531 is a plover."

def refuses(messages):
    return REFUSES

def answers(messages):
    return "The canary-7531 is a plover."

def raises(messages):
    raise ConnectionError("canary-7531")

def hangs(messages):
    time.sleep(3)

def slow(messages):
    time.sleep(0.01)
    return obeys(messages)
'''
SAID = "tell me about the canary-7531"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hats.guard").write_text(POLICY)
    (tmp_path / "stacks.py").write_text(STACKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "stacks", raising=False)
    return tmp_path


def rows(folder: Path, *given: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in given))
    return path


def test_the_finding_comes_first_and_fits_the_screen(folder: Path) -> None:
    done = guardkit(
        "attribute", "hats.guard", "--prompt", SAID, "--model", "stacks:obeys",
        "--expect", "answer",
    )  # fmt: skip
    assert done.code == 1
    lines = done.out.splitlines()
    assert " ".join(lines[:2]).startswith(
        "refused by the context: without it 0 of 8 were refused (intact 8 of 8; difference 100 "
    )
    assert "over-refusal; expected to answer; certainty: context above 99 %" in lines
    assert any(line.startswith("> context") and line.endswith("flips it") for line in lines)
    assert "16 runs, 16 calls of the model" in lines[-1]
    assert max(len(line) for line in lines) <= 80
    assert "canary" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--prompt", "a dinghy"), 0, "refused by the input (rule no_boats)"),
        (("--prompt", "a dinghy", "--expect", "answer"), 1, "refused by the input"),
        (("--prompt", "a hat"), 3, "could not be judged"),
        (("--prompt", "a hat", "--model", "stacks:answers"), 0, "there is nothing to explain"),
        (("--prompt", "a hat", "--model", "stacks:refuses"), 0, "refused by the weights"),
        (("--prompt", "a hat", "--model", "stacks:raises"), 3, "no reply came (ConnectionError)"),
        (("--prompt", "a hat", "--reply", "I can't help with that."), 0, "context or weights"),
        (
            ("--prompt", "a hat", "--reply", "A plover.", "--expect", "refuse"),
            1,
            "answered because of the output rules (rule birds_seen): it is in shadow",
        ),
        (
            ("--prompt", "a hat", "--model", "stacks:hangs", "--timeout", "0.05"),
            3,
            "no reply came (TimeoutError)",
        ),
        (
            ("--prompt", "hat", "--model", "stacks:refuses", "--other", "stacks:obeys"),
            0,
            "the context would have done it too",
        ),
        (
            ("--prompt", "a hat", "--base-url", "http://127.0.0.1:9/v1", "--timeout", "5"),
            3,
            "no reply came (unreachable",
        ),
    ],
)
def test_what_is_said_and_how_it_ends(
    folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = guardkit("attribute", "hats.guard", "-n", "10", *arguments)
    assert said in " ".join(done.out.split()), done.out + done.err
    assert done.code == code
    assert "canary" not in done.out + done.err
    assert max(len(line) for line in done.out.splitlines()) <= 80


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Give the exchange"),
        (("--prompt", "a", "--cases", "rows.jsonl"), "Give the exchange"),
        (("--prompt", "a", "--out", "o.jsonl"), "--out keeps the exchanges of --cases"),
        (("--cases", "rows.jsonl", "--resume"), "--resume goes on with the file of --out"),
        (("--cases", "rows.jsonl", "--reply", "x"), "--reply belongs to --prompt"),
        (("--prompt", "a", "--on", "output", "--reply", "x"), "leave --reply out"),
        (("--prompt", "a", "--model", "stacks:gone"), "no callable"),
        (("--prompt", "a", "--model", "gone:gone"), "cannot be imported"),
        (("--prompt", "a", "--model", "m:f", "--base-url", "http://x.example"), "give one of them"),
        (("--prompt", "a", "--base-url", "ftp://x.example"), "is no http or https address"),
        (
            ("--prompt", "a", "--base-url", "http://x.example", "--key-env", "NO_SUCH_KEY"),
            "holds no key",
        ),
        (("--prompt", "a", "--other-key-env", "K"), "--other-key-env belongs to --other-base-url"),
        (("--cases", "gone.jsonl"), "cannot be read"),
        (("--cases", "rows.txt"), "no file of exchanges"),
        (("--prompt", "a", "--html", "gone/r.html"), "no such folder"),
        (("--prompt", "a", "-n", "0"), "-n"),
    ],
)
def test_what_makes_no_sense_is_refused(folder: Path, arguments: tuple[str, ...], why: str) -> None:
    done = guardkit("attribute", "hats.guard", *arguments)
    assert done.code == 2, done.out + done.err
    assert why in done.err
    assert done.out == ""


def test_many_are_a_table_of_layers_and_rules(folder: Path) -> None:
    path = rows(
        folder,
        *[{"text": "a plover"}] * 3,
        {"text": "a dinghy"},
        {"text": "a hat", "expect": "refuse", "reply": "A plover."},
        {"text": "a hat", "expect": "answer"},
        {"nothing": SAID},
    )
    done = guardkit("attribute", "hats.guard", "--cases", path, "--model", "stacks:obeys")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == "6 exchanges: 5 to look at; 1 row could not be read"
    table = [" ".join(line.split()) for line in lines]
    assert "context refusal full over-refusal 4" in table
    assert "input rule no_boats correct refusal overdetermined 1" in table
    assert "output rule birds_seen wrong answer 1" in table
    assert "rows.jsonl:7: it has no `text`" in done.err
    assert max(len(line) for line in lines) <= 80
    assert "canary" not in done.out + done.err


def test_json_holds_the_same_numbers_and_no_text(folder: Path) -> None:
    path = rows(folder, {"text": f"a plover {SAID}", "id": "one"}, {"text": "a dinghy"}, 7)
    arguments = ("attribute", "hats.guard", "--cases", path, "--model", "stacks:obeys", "--json")
    done = guardkit(*arguments)
    found = json.loads(done.out)
    assert [one["layer"] for one in found["exchanges"]] == ["context", "input"]
    assert found["exchanges"][0]["id"] == "one"
    assert found["summary"]["exchanges"] == 2
    assert (found["summary"]["unjudged"], found["summary"]["rows_unread"]) == (0, 1)
    assert "canary" not in done.out
    again = json.loads(guardkit(*arguments).out)
    for one in (*found["exchanges"], *again["exchanges"]):
        one["elapsed_s"] = 0
    assert again == found


def test_an_empty_file_is_nothing_to_do(folder: Path) -> None:
    path = rows(folder)
    assert guardkit("attribute", "hats.guard", "--cases", path).code == 5
    done = guardkit("attribute", "hats.guard", "--cases", path, "--json")
    assert json.loads(done.out)["exchanges"] == []


def test_only_bad_rows_are_not_judged(folder: Path) -> None:
    assert guardkit("attribute", "hats.guard", "--cases", rows(folder, 7)).code == 3


def test_a_key_goes_to_its_own_server_and_into_no_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN", "canary-one")
    monkeypatch.setenv("OTHERS", "canary-two")
    path = rows(folder, {"text": "a hat", "expect": "answer"})
    with (
        served(lambda said: "I'm sorry, but I can't help with that.") as own,
        served(lambda said: "A fine hat.") as other,
    ):
        servers = ("--base-url", f"{own.url}?token=canary-three", "--key-env", "OWN")
        others = ("--other-base-url", other.url)
        for more in ((), ("--other-key-env", "OTHERS")):
            out = f"kept{len(more)}.jsonl"
            arguments = (*servers, *others, *more, "--out", out, "-n", "3")
            done = guardkit("attribute", "hats.guard", "--cases", path, *arguments)
            assert done.code == 1, done.out + done.err
            assert "canary" not in done.out + done.err + Path(out).read_text()
    assert set(own.keys) == {"Bearer canary-one"}
    assert set(other.keys) == {"", "Bearer canary-two"}


def test_a_report_is_written(folder: Path) -> None:
    path = rows(folder, {"text": f"a plover {SAID}"}, {"text": "a dinghy"})
    done = guardkit(
        "attribute", "hats.guard", "--cases", path, "--model", "stacks:obeys", "--html", "r.html"
    )
    assert "wrote r.html" in done.err
    page = (folder / "r.html").read_text()
    assert "<code>no_<wbr>boats</code>" in page
    assert "canary" not in page


def test_a_run_that_was_killed_goes_on_where_it_was(folder: Path) -> None:
    path = rows(folder, *[{"text": f"a plover, number {at}", "id": f"r{at}"} for at in range(40)])
    arguments = [
        "attribute", "hats.guard", "--cases", str(path), "--model", "stacks:slow", "--json",
        "--out",
    ]  # fmt: skip
    whole = process(*arguments, "whole.jsonl", cwd=folder)
    assert whole.code == 1
    out = folder / "out.jsonl"
    running = subprocess.Popen(
        [*START, *arguments, "out.jsonl"],
        cwd=folder,
        env=plain(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if out.exists() and out.read_bytes().count(b"\n") >= 6:
            break
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = out.read_bytes().count(b"\n") - 1
    assert 5 <= kept < 40
    refused = process(*arguments, "out.jsonl", cwd=folder)
    assert refused.code == 2
    assert "go on with it" in refused.err
    again = process(*arguments, "out.jsonl", "--resume", cwd=folder)
    assert again.code == 1, again.err

    def findings(text: str) -> list[dict[str, object]]:
        return [{**one, "elapsed_s": 0} for one in json.loads(text)["exchanges"]]

    assert findings(again.out) == findings(whole.out)
    ids = [json.loads(line)["made"]["id"] for line in out.read_bytes().splitlines()[1:]]
    assert ids == [f"r{at}" for at in range(40)]
    other = process(*arguments, "out.jsonl", "--resume", "--seed", "9", cwd=folder)
    assert other.code == 2
    assert "another seed" in other.err
    assert "canary" not in out.read_text()


def test_an_interrupt_keeps_what_is_finished(folder: Path) -> None:
    path = rows(folder, *[{"text": f"a plover, number {at}"} for at in range(200)])
    out = folder / "out.jsonl"
    arguments = ["attribute", "hats.guard", "--cases", str(path), "--model", "stacks:slow"]
    running = subprocess.Popen(
        [*START, *arguments, "--out", "out.jsonl"],
        cwd=folder,
        env=plain(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and not (out.exists() and out.read_bytes().count(b"\n") >= 4):
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert b"interrupted" in err
    for line in out.read_bytes().splitlines():
        json.loads(line)
