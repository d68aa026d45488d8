"""`make demo`: the conversation comes as promised, in 80 columns, and what it proposes works."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo" / "demo.py"
WIDTH = 80
PAINTED = re.compile(r"\x1b\[[0-9;]*m")
CLEAN = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "CI")
CARD = "4111 1111 1111 1111"

PROMISED = [
    " 1 An attack",
    "   guard          block by injection.stop",
    "                  found in characters 0-32, read as written",
    "   model          was not asked",
    " 2 The same in disguise",
    "   guard          block by injection.stop",
    "                  found in characters 0-44, read decoded",
    "   model          was not asked",
    " 3 Data in a stream",
    "   guard          rewrite by mask_personal: no digit of the card was ever shown",
    " 4 A tool call",
    "   guard          hold by mail_stays_home: the mail waits for a person",
    "   approver       mia, of desk-leads, approves it",
    "   program        runs mail.send, as it was approved",
    " 5 A needless refusal",
    "   guard          flag by over_refusal: an everyday question",
    " 1 an attack             block   -             -         input: correct refusal",
    " 2 the same in disguise  block   -             -         input: correct refusal",
    " 3 data in a stream      pass    reply         rewrite   nobody: answered",
    " 4 a tool call           pass    no text       hold      nobody: answered",
    " 5 a needless refusal    pass    refusal full  flag      model: over-refusal",
]


def environment(**more: str) -> dict[str, str]:
    return {**{k: v for k, v in os.environ.items() if k not in CLEAN}, **more}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """The demo in a pipe."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(DEMO)],
        capture_output=True,
        timeout=55,
        check=False,
        cwd=ROOT,
        env=environment(),
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    return ran.stdout.decode("ascii").splitlines()


def test_the_five_things_happen_in_order(lines: list[str]) -> None:
    at = iter(lines)
    for wanted in PROMISED:
        assert wanted in at, f"`{wanted}` is missing, or comes too early"


def test_it_fits_and_a_pipe_gets_no_colour(lines: list[str]) -> None:
    assert max(map(len, lines)) <= WIDTH
    assert not any("\x1b" in line for line in lines)


def test_the_card_is_held_back_and_then_released_without_its_number(lines: list[str]) -> None:
    top = lines.index("   the model writes                       the user reads")
    rows = lines[top + 1 : lines.index("", top)]
    read = [row[42:].strip() for row in rows]
    waited = read.count("(held back)")
    assert read[:waited] == ["(held back)"] * waited
    assert 1 < waited < 6, "nothing was held back, or all of it"
    assert CARD in "".join(row[3:42].rstrip() for row in rows)
    assert "4111" not in " ".join(read)
    assert "[CARD]" in " ".join(read)


def test_latency_is_said_with_what_it_was_measured_on(lines: list[str]) -> None:
    said = "\n".join(lines[lines.index("Latency of the guard") :])
    p50 = re.search(r"p50 +([\d.]+) ms of these 8 calls", said)
    slowest = re.search(r"slowest +([\d.]+) ms", said)
    assert p50
    assert slowest
    assert 0 < float(p50[1]) <= float(slowest[1])
    assert re.search(r"loading +once per process: chat [\d.]+ s, desk\.guard [\d.]+ s", said)


@pytest.mark.parametrize(("verb", "code"), [("explain", 0), ("init", 0), ("bench", 0)])
def test_what_comes_next_works(lines: list[str], tmp_path: Path, verb: str, code: int) -> None:
    (command,) = [line.strip() for line in lines if re.search(rf"guardkit {verb} ", line)]
    program, *arguments = shlex.split(command)
    if shutil.which(program, path=f"{ROOT}:{os.environ['PATH']}") is None:
        pytest.skip("platform: guardkit is on no path")
    if verb == "bench":  # half a minute: that its words are right is enough here
        arguments.append("--help")
    ran = subprocess.run(
        [str(ROOT / program) if "/" in program else program, *arguments],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    if verb == "explain":
        assert ran.stdout.startswith("block on input by injection.stop")
    if verb == "init":
        assert (tmp_path / "my-shop" / "policies" / "chat.guard").is_file()
    if verb == "bench":
        assert "--quick" in ran.stdout


@pytest.mark.parametrize("no_color", [False, True], ids=["colours", "NO_COLOR"])
def test_a_terminal_gets_few_colours_and_none_where_nobody_wants_them(no_color: bool) -> None:
    ours, theirs = pty.openpty()
    env = environment(TERM="xterm", CI="1", **({"NO_COLOR": "1"} if no_color else {}))
    with subprocess.Popen(
        [sys.executable, str(DEMO)], stdout=theirs, stderr=theirs, env=env, cwd=ROOT
    ) as running:
        os.close(theirs)
        read = b""
        while True:
            try:
                got = os.read(ours, 65536)
            except OSError:  # the end of a terminal
                break
            if not got:
                break
            read += got
        assert running.wait(timeout=50) == 0
    os.close(ours)
    shown = read.decode("ascii").splitlines()
    assert max(len(PAINTED.sub("", line)) for line in shown) <= WIDTH
    used = set(re.findall(r"\x1b\[([0-9;]*)m", read.decode("ascii")))
    assert used == (set() if no_color else {"0", "1", "2", "31", "32", "33"})
