"""`guardkit serve`: parameters and overlays are read as every other verb reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ._run import SMALL, guardkit, process


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    policy = SMALL.replace("check greeting", "param most: number = 10\n\ncheck greeting")
    Path("p.guard").write_text(policy.replace("input, output", "input"), encoding="utf-8")
    Path("wrong.toml").write_text('[rules]\nno_greting = "shadow"\n', encoding="utf-8")


def _help_of(verb: str, option: str) -> str:
    words = " ".join(guardkit(verb, "--help").out.split())
    return words[words.index(f"{option} ") :].partition(" -")[0]


@pytest.mark.parametrize("option", ["--param", "--overlay"])
def test_the_options_are_those_of_other_verbs(option: str) -> None:
    assert _help_of("serve", option) == _help_of("scan", option)


@pytest.mark.parametrize("given", ["most", "=3", "Most=3", "most-of-it=3"])
def test_a_parameter_that_is_none_is_refused_at_once(given: str) -> None:
    done = guardkit("serve", "p.guard", "--param", given)
    assert done.code == 2
    assert f"`{given}` is not NAME=VALUE." in done.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--param", "most=lots"), "GK218"),
        (("--param", "least=3"), "GK278"),
        (("--overlay", "wrong.toml"), "GK202"),
        (("--overlay", "gone.toml"), "gone.toml"),
    ],
)
def test_what_does_not_fit_the_policy_stops_the_start(options: tuple[str, str], says: str) -> None:
    done = process("serve", "p.guard", "--port", "0", *options)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err


def test_workers_say_why_they_do_not_start() -> None:
    # Nothing listens there: the policy is read before anybody is asked.
    shared = ("--workers", "2", "--redis", "redis://127.0.0.1:1")
    options = ("--port", "0", "--param", "most=lots", "--log-format", "json")
    done = process("serve", "p.guard", *shared, *options, GUARDKIT_STATE_KEY="ab" * 32)
    assert done.code == 2
    said = [json.loads(line) for line in done.err.splitlines() if line[:1] == "{"]
    told = [line for line in said if line["event"] == "not_started"]
    assert told, done.err
    assert "GK218" in " ".join(told[0]["problems"])
