"""The examples run as they stand, offline, and show what they promise, in 80 columns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH = 80

SHOWN = {
    "decorator": [
        "model reads: Please charge my card [CARD_1].",
        "ann reads:   Done. I noted 4111 1111 1111 1111.",
        "ann reads:   I keep to my rules. How can I help with your parcel?",
        "ann reads:   I'll ask a colleague what we can do for you.",
        "refund: hold, because of refunds_are_approved",
        "refunds may approve it",
    ],
    "streaming": [
        "Write |to |[MAIL], she is |in until five o'clock.|",
        "Sure, I can look that |up for you: the |[stopped: that was a secret]|",
        'call: mail.send {"to": "[MAIL]"}',
        "end:  tool_calls",
    ],
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs(name: str) -> None:
    path = EXAMPLES / f"{name}.py"
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=EXAMPLES.parent,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    at = iter(lines)
    for wanted in SHOWN[name]:
        assert wanted in at, f"`{wanted}` is missing, or comes too early"
