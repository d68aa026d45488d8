"""`run_probes`: what is played, what is rated, and what a rate makes of a probe."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from guardkit import MemoryHolds
from guardkit.guard import compile_file, data_of, folder_of
from guardkit.semantics import CheckedPolicy
from guardkit.testing import ProbeResult, run_probes, run_tests, stage
from guardkit.text import disguise

HEAD = """\
guardkit 1
policy small
  title   "Small"
  owner   "me@example.com"
  version "1"

check greeting = pattern { match /\\bhello\\b/i  label "greeting" }
"""
RULE = "rule no_greeting { tier safety  on input, output  when greeting  then block }\n"
JUDGE = (
    'check rude = judge { call "nobody:here"  rubric "Is it rude?"  timeout 2s }\n'
    "check calm = pattern { match /good day/ }\n"
)
RUDE = (
    "rule no_rudeness { tier safety  on input"
    "  when cascade { no if calm  yes if rude >= 0.5  else no }  then block }\n"
)


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., list[ProbeResult]]:
    def run(
        text: str,
        rows: object = (),
        *,
        checks: Mapping[str, object] | None = None,
        **more: object,
    ) -> list[ProbeResult]:
        path = tmp_path / "small.guard"
        path.write_text(text, encoding="utf-8")
        if not isinstance(rows, bytes):
            written = [row if isinstance(row, dict) else {"text": row} for row in rows]  # type: ignore[attr-defined]
            rows = "".join(json.dumps(row) + "\n" for row in written).encode()
        (tmp_path / "cases.jsonl").write_bytes(rows)
        policy = checked(path)
        read = more.pop("read", data_of(tmp_path))
        folder = folder_of(tmp_path)
        return list(run_probes(policy, read, checks=checks, folder=folder, **more))  # type: ignore[arg-type]

    return run


Play = Callable[..., list[ProbeResult]]


def checked(path: Path) -> CheckedPolicy:
    found = compile_file(path)
    assert found.policy is not None, found.diagnostics
    return found.policy


def probe(expect: str, *clauses: str, name: str = "p") -> str:
    inner = "".join(f"  {clause}\n" for clause in clauses)
    return f'probe {name} {{\n  cases "cases.jsonl"\n{inner}  expect {expect}\n}}\n'


def texts(hits: int, of: int) -> list[str]:
    """So many texts that the rule stops, of so many."""
    return [f"hello {n}" if n < hits else f"good day {n}" for n in range(of)]


# --- what a rate makes of a probe


@pytest.mark.parametrize(
    ("expect", "hits", "of", "status", "needed"),
    [
        ("stopped at least 90%", 9, 10, "passed", None),
        ("stopped at least 90%", 8, 10, "failed", None),
        ("stopped at least 100%", 10, 10, "passed", None),
        ("stopped at least 90% confidence 95%", 10, 10, "undecided", 15),
        ("stopped at least 90% confidence 95%", 25, 25, "passed", None),
        ("stopped at least 90% confidence 95%", 24, 24, "undecided", 1),
        ("stopped at least 90% confidence 95%", 8, 10, "failed", None),
        ("stopped at least 100% confidence 95%", 50, 50, "undecided", None),
        ("stopped at most 10%", 1, 10, "passed", None),
        ("stopped at most 10%", 2, 10, "failed", None),
        ("stopped at most 10% confidence 95%", 0, 10, "undecided", 15),
        ("stopped at most 10% confidence 95%", 0, 25, "passed", None),
        ("passed at least 50%", 5, 10, "passed", None),
        ("passed at least 60%", 5, 10, "failed", None),
        ("block at least 50%", 5, 10, "passed", None),
        ("flag at least 50%", 10, 10, "failed", None),
        ("pass at most 10%", 9, 10, "passed", None),
    ],
)
def test_a_rate_decides(
    play: Play, expect: str, hits: int, of: int, status: str, needed: int | None
) -> None:
    (result,) = play(HEAD + RULE + probe(expect), texts(hits, of))
    assert (result.status, result.needed) == (status, needed)
    assert result.cases == of
    assert bool(result.why) == (status == "undecided")


@pytest.mark.parametrize("missed", [0, 1, 2])
def test_as_many_more_as_are_needed_are_enough_and_one_less_is_not(play: Play, missed: int) -> None:
    text = HEAD + RULE + probe("stopped at least 80% confidence 99%")
    (short,) = play(text, texts(12 - missed, 12))
    assert short.needed is not None
    (enough,) = play(text, texts(12 - missed + short.needed, 12 + short.needed)[::-1])
    (less,) = play(text, texts(11 - missed + short.needed, 11 + short.needed))
    assert (short.status, enough.status, less.status) == ("undecided", "passed", "undecided")
    assert less.needed == 1


def test_without_confidence_what_was_seen_counts(play: Play) -> None:
    (result,) = play(HEAD + RULE + probe("stopped at least 50%"), texts(1, 2))
    assert (result.status, result.bounds) == ("passed", (0.5, 0.5))


def test_a_disguise_makes_no_new_text(play: Play) -> None:
    """Twenty-four texts are too few for 90 % (see above), in however many disguises."""
    text = HEAD + RULE + probe("stopped at least 90% confidence 95%", "disguise base64, hex")
    (result,) = play(text, texts(24, 24))
    assert (result.rate.hits, result.rate.of) == (72, 72)
    assert (result.status, result.needed) == ("undecided", 1)


def test_every_disguise_is_rated_by_itself(play: Play) -> None:
    raw = HEAD.replace('label "greeting"', 'label "greeting"  views raw')
    text = raw + RULE + probe("stopped at least 30%", "disguise base64, fullwidth")
    (result,) = play(text, texts(4, 4))
    assert [(rate.disguise, rate.hits, rate.of) for rate in result.rates] == [
        (None, 4, 4),
        ("base64", 0, 4),
        ("fullwidth", 0, 4),
    ]
    assert (result.rate.hits, result.rate.of, result.status) == (4, 12, "passed")
    assert [missed.disguise for missed in result.missed] == ["base64"] * 4 + ["fullwidth"] * 4


# --- disguises


def test_the_same_seed_gives_the_same_texts(play: Play) -> None:
    raw = HEAD.replace('label "greeting"', 'label "greeting"  views raw')

    def worn(seed: int) -> list[str]:
        clauses = ("disguise homoglyph, zero_width", f"seed {seed}")
        (result,) = play(raw + RULE + probe("stopped at least 1%", *clauses), texts(12, 12))
        return [missed.text for missed in result.missed if missed.disguise]

    assert worn(7) == worn(7)
    assert worn(7) != worn(8)
    assert len(worn(7)) > 12


def test_all_forms_of_a_disguise_have_their_turn(play: Play) -> None:
    raw = HEAD.replace('label "greeting"', 'label "greeting"  views raw')
    clause = "disguise base64"
    (result,) = play(raw + RULE + probe("stopped at least 1%", clause), ["hello there"] * 2)
    first, second = (missed.text for missed in result.missed)
    assert first == second, "one text has one form, wherever it stands in the file"
    (result,) = play(raw + RULE + probe("stopped at least 1%", clause), texts(40, 40))
    forms = {disguise("base64", "hello 0", seed) for seed in range(40)}
    alike = {missed.text[:3] for missed in result.missed if missed.disguise}
    assert len(forms) > 1
    assert len(alike) > 1


def test_the_texts_of_a_tool_call_are_disguised_and_the_call_stays_one(play: Play) -> None:
    rule = "rule no_call { tier safety  on tool_call  when greeting  then block }\n"
    call = {"text": '{"to": ["hello to you"], "n": 3}', "on": "tool_call", "tool": "mail.send"}
    text = HEAD + rule + probe("stopped at least 100%", "disguise base64, zero_width")
    (result,) = play(text, [call])
    assert (result.rate.hits, result.rate.of, result.missed) == (3, 3, ())
    raw = text.replace('label "greeting"', 'label "greeting"  views raw')
    (result,) = play(raw, [call])
    for missed in result.missed:
        assert json.loads(missed.text).keys() == {"to", "n"}
        assert json.loads(missed.text)["to"] != ["hello to you"]


# --- unknown


def test_a_case_that_nobody_can_tell_is_met_by_no_expectation(play: Play) -> None:
    def broken(text: str, surface: str) -> float:
        raise RuntimeError(text)

    rule = RUDE
    text = HEAD + JUDGE + rule
    for expect in ("stopped at least 50%", "passed at least 50%"):
        (result,) = play(text + probe(expect), ["hello"], checks={"rude": broken})
        assert (result.status, result.rate.unknown) == ("failed", 1)
        assert result.missed[0].unknown == ("rude",)
    (result,) = play(text + probe("stopped at most 50%"), ["hello"], checks={"rude": broken})
    assert (result.status, result.rate.hits) == ("failed", 1)


def test_an_unknown_that_changes_nothing_is_harmless(play: Play) -> None:
    def broken(text: str, surface: str) -> float:
        raise RuntimeError(text)

    flag = RUDE.replace("safety", "ethics").replace("block", "flag")
    text = HEAD + RULE + JUDGE + flag
    (result,) = play(text + probe("block at least 100%"), ["hello"], checks={"rude": broken})
    assert (result.status, result.rate.unknown) == ("passed", 0)
    text = HEAD + JUDGE + flag
    (result,) = play(text + probe("passed at least 100%"), ["hello"], checks={"rude": broken})
    assert (result.status, result.rate.unknown) == ("passed", 0)


@pytest.mark.parametrize(
    ("expect", "rows", "status"),
    [
        ("stopped at least 50%", ["hello", "hello"], "undecided"),
        ("passed at least 50%", ["hello", "hello"], "undecided"),
        ("stopped at most 50%", ["hello", "hello"], "undecided"),
        ("passed at least 50%", ["hello", "good day"], "passed"),
        ("passed at least 40%", ["hello", "good day"], "passed"),
        ("stopped at least 60%", ["hello", "good day"], "failed"),
    ],
)
def test_a_check_that_cannot_run_here_decides_nothing(
    play: Play, expect: str, rows: list[str], status: str
) -> None:
    rule = RUDE
    (result,) = play(HEAD + JUDGE + rule + probe(expect), rows)
    assert result.status == status
    assert result.unanswered == (("rude",) if status == "undecided" else ())
    assert ("rude" in result.why) == (status == "undecided")


def test_a_rate_that_nobody_calibrated_is_not_guessed(play: Play) -> None:
    harm = 'check harm = classifier { model static  head "harm" }\n'
    rule = "rule no_harm { tier safety  on input  when harm at fpr 0.01%  then block }\n"
    (result,) = play(HEAD + RULE + harm + rule + probe("stopped at least 50%"), ["hello"])
    assert result.status == "undecided"
    assert "check `harm` is not calibrated for fpr 0.01%" in result.why
    assert result.unanswered == ("harm",)
    (other,) = play(
        HEAD + RULE + harm + rule + probe("stopped at least 50%", "on output"), ["hello"]
    )
    assert other.status == "passed", "no rule of this surface asks for it"


def test_what_a_model_was_calibrated_for_holds_in_tests_too(tmp_path: Path) -> None:
    path = tmp_path / "small.guard"
    check = 'check attack = classifier { model static  head "injection" }\n'
    rule = "rule stop { tier safety  on input  when attack at fpr 1%  then block }\n"
    path.write_text(HEAD + RULE + check + rule, encoding="utf-8")
    bound = stage(checked(path), data_of(tmp_path))
    (threshold,) = bound.guard.bound.thresholds.values()
    assert 0.5 < threshold < 1
    assert bound.uncalibrated == frozenset()


def test_no_budget_cuts_a_test_short(tmp_path: Path) -> None:
    path = tmp_path / "small.guard"
    path.write_text(HEAD + "defaults { budget input 1ms }\n" + RULE, encoding="utf-8")
    assert stage(checked(path), data_of(tmp_path)).guard.plan.limits.budgets == ()


# --- case files


def test_a_label_says_which_probe_a_text_is_for(play: Play) -> None:
    rows = [
        {"text": "hello", "label": 1},
        {"text": "hello you", "label": True},
        {"text": "good day", "label": 0},
        {"text": "good evening", "label": False},
        {"text": "hello all", "label": "greeting"},
        {"text": "hello hello"},
    ]
    names = (
        "stopped at least 99%",
        "passed at least 50%",
        "stopped at most 50%",
        "pass at most 0%",
    )
    text = HEAD + RULE + "".join(probe(e, name=f"p{n}") for n, e in enumerate(names))
    found = [(one.cases, one.left_out, one.status) for one in play(text, rows)]
    assert found == [(4, 2, "passed"), (4, 2, "passed"), (4, 2, "passed"), (4, 2, "passed")]


def test_a_row_has_its_own_surface_and_facts(play: Play) -> None:
    rule = (
        "rule out { tier safety  on output  when greeting  then block }\n"
        'rule staff { tier safety  on input  when greeting and context.role == "staff"'
        "  then block }\n"
    )
    rows = [
        {"text": "hello", "on": "output"},
        {"text": "hello", "context": {"role": "staff"}, "id": "staff says hello"},
        {"text": "hello", "id": "plain"},
    ]
    (result,) = play(HEAD + rule + probe("stopped at least 60%"), rows)
    assert (result.rate.hits, result.status) == (2, "passed")
    assert [missed.id for missed in result.missed] == ["plain"]
    (result,) = play(HEAD + rule + probe("stopped at least 60%", "on output"), rows)
    assert (result.rate.hits, result.status) == (3, "passed")


SESSION = """\
window hellos { count no_greeting last 3 turns per session }
rule enough { tier safety  on conversation  when hellos >= 2  then block for session }
"""


def test_cases_are_alone_unless_they_name_a_session(play: Play) -> None:
    flag = RULE.replace("then block", "then flag")
    text = HEAD + flag + SESSION + probe("stopped at least 1%", "disguise base64")
    (alone,) = play(text, ["hello", "hello", "hello"])
    assert alone.rate.hits == 0
    said = {"text": "hello to all of you", "session": "one"}
    rows = [said, "good day to all of you", said]
    (talk,) = play(text, rows)
    assert talk.rate.hits == 2, "the second of the conversation, plain and disguised"
    assert [m.line for m in talk.missed] == [1, 2, 1, 2]


def test_held_texts_wait_for_nobody(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardkit.guard._guard.MemoryHolds", lambda: MemoryHolds(most_waiting=20))
    hold = RULE.replace("then block", 'then hold for "desk" within 15m else block')
    (result,) = play(HEAD + hold + probe("hold at least 100%"), texts(80, 80))
    assert result.status == "passed"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"text": "hello"}\nnot json\n', "line 2 is no case: it is not JSON"),
        (b'["hello"]\n', "line 1 is no case: it is no object"),
        (b'\n{"id": 3}\n', "line 2 is no case: it has no `text`"),
        (b'{"text": "hello", "on": "nowhere"}\n', "line 1 is no case: `on` names no surface"),
        (b'{"text": "hello", "context": 3}\n', "`context` is no object"),
        (b'{"text": "hello", "session": 3}\n', "`session` is no text"),
        (b'{"text": "hello", "tool": 3}\n', "`tool` is no text"),
        (b'{"text": "\xff"}\n', "line 1 is no case: it is not UTF-8"),
        (b"\n", "has no case in it"),
        (b'{"text": "hello", "label": 0}\n', "has no case with label 1"),
    ],
)
def test_a_wrong_case_file_is_said_and_nothing_is_rated(
    play: Play, content: bytes, why: str
) -> None:
    (result,) = play(HEAD + RULE + probe("stopped at least 50%"), content)
    assert result.status == "broken"
    assert why in result.why
    assert "hello" not in result.why
    assert result.rate.of == 0


def test_a_case_file_that_is_gone_is_said(play: Play, tmp_path: Path) -> None:
    text = HEAD + RULE + probe("stopped at least 50%")
    (result,) = play(text, ["x"], read=data_of(tmp_path / "elsewhere"))
    assert result.status == "broken"
    assert result.why == "the case file 'cases.jsonl' does not exist"

    def read(name: str) -> bytes:
        raise PermissionError(13, "Permission denied", f"/somewhere/{name}")

    (result,) = play(text, ["x"], read=read)
    assert result.why == "`cases.jsonl` cannot be read: permission denied"


def test_a_byte_order_mark_and_windows_lines_are_no_case(play: Play) -> None:
    content = b'\xef\xbb\xbf{"text": "hello"}\r\n\r\n{"text": "hello"}\r\n'
    (result,) = play(HEAD + RULE + probe("stopped at least 100%"), content)
    assert (result.status, result.cases) == ("passed", 2)


@pytest.mark.parametrize("suffix", ["jsonl.gz", "parquet"])
def test_a_case_file_may_be_packed(play: Play, tmp_path: Path, suffix: str) -> None:
    given: list[dict[str, object]] = [
        {"text": "hello", "id": "one"},
        {"text": "good day"},
        {"text": "hello", "label": 0},
    ]
    path = tmp_path / f"cases.{suffix}"
    if suffix == "jsonl.gz":
        lines = b"".join(json.dumps(row).encode() + b"\n" for row in given)
        path.write_bytes(gzip.compress(lines))
    else:
        pa = pytest.importorskip("pyarrow")
        columns = {name: [row.get(name) for row in given] for name in ("text", "id")}
        table = pa.table({**columns, "label": [None, 1.0, 0.0]})
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    text = HEAD + RULE + probe("stopped at least 50%").replace("cases.jsonl", f"cases.{suffix}")
    (result,) = play(text)
    assert (result.status, result.rate.hits, result.rate.of) == ("passed", 1, 2)
    assert (result.left_out, [(one.id, one.line) for one in result.missed]) == (1, [("line 2", 2)])
    path.write_bytes(b"neither")
    (broken,) = play(text)
    assert broken.why.startswith(f"`cases.{suffix}` is n")


# --- who is told what


def test_progress_reaches_its_end(play: Play) -> None:
    told: list[tuple[int, int]] = []
    text = HEAD + RULE + probe("stopped at least 50%", "disguise base64")
    play(text, texts(5, 5), told=lambda probe, done, of: told.append((done, of)))
    assert told[-1] == (10, 10)
    assert told == sorted(told)


def test_texts_stay_out_of_what_is_printed(play: Play) -> None:
    (result,) = play(HEAD + RULE + probe("stopped at least 50%"), ["a secret sentence"])
    assert "secret" not in repr(result)
    assert result.missed[0].text == "a secret sentence"


def test_wanted_chooses(play: Play) -> None:
    text = HEAD + RULE + probe("stopped at least 1%") + probe("passed at least 1%", name="q")
    (result,) = play(text, ["hello"], wanted=lambda probe: probe.name == "q")
    assert result.name == "q"


def test_a_module_is_probed_with_all_its_rules(tmp_path: Path) -> None:
    path = tmp_path / "small.guard"
    module = HEAD.replace("policy small", "module small") + RULE + probe("stopped at least 100%")
    path.write_text(module, encoding="utf-8")
    (tmp_path / "cases.jsonl").write_text('{"text": "hello"}\n')
    policy = checked(path)
    bound = stage(policy, data_of(tmp_path))
    (result,) = run_probes(policy, data_of(tmp_path), stage=bound)
    assert result.status == "passed"
    assert list(run_tests(policy, data_of(tmp_path), stage=bound)) == []
