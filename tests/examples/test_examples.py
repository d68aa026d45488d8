"""The examples run as they stand, offline, and show what they promise, in 80 columns."""

from __future__ import annotations

import re
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
    "agent": [
        "web.fetch: pass {'url': 'https://news.example/'}",
        "  the model reads: That page gave orders.",
        "mail.send: rewrite {'to': 'bo@firm.example', 'body': 'Card [CARD]'}",
        "mail.send: waits for desk",
        "mail.send: pass {'to': 'eve@elsewhere.example', 'body': 'Hello!'}",
    ],
    "documents": [
        "the model reads: A parcel takes two days.",
        "the model reads: (a document was left out)",
        "the user reads:  Two days. See https://firm.example/faq and [link removed].",
    ],
    "pseudonyms": [
        "the model reads: Write to [EMAIL_1], or call [PHONE_1].",
        "ann reads:       I wrote to ann@firm.example and called +49 30 901820.",
        "bo reads:        I wrote to [EMAIL_1] and called [PHONE_1].",
    ],
    "revision": [
        "  draft:   Sorry! Here is a voucher.",
        "  reader:  I'll ask what we can do for you.",
        "  draft:   But a voucher is fine?",
        "  reader:  I'll ask a colleague.",
    ],
    "tenants": [
        "  the model reads: I am [EMAIL_1], +49 30 901820.",
        "  the user reads:  I noted ann@acme.example.",
        "  the model reads: I am [EMAIL_1], [PHONE_1].",
        "  the user reads:  I noted ann@globex.example.",
        "  the user reads:  I noted [EMAIL_1].",
    ],
    "python_check": [
        "pass  () unknown=()",
        "block ('plain_language',) unknown=()",
        "hold  ('plain_language',) unknown=('hard_words',)",
    ],
    "scan_file": [
        "messages.jsonl:2: block by no_orders at 7-35, raw",
        "messages.jsonl:3: block by no_orders at 0-17, folded",
        "2 block, 2 pass",
    ],
    "measure": ["found         75% (30% to 95%)", "false alarms  0% (0% to 49%)"],
    "proxy": [
        "the model reads: Which card do I have?",
        "the user reads:  It is [CARD].",
        "the user reads:  I can't act on instructions that change how I work.",
    ],
}
NEEDS = {"proxy": "uvicorn"}
"""What an example asks for that a smaller environment may lack."""


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_runs(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
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


def test_the_readme_lists_every_example_and_folder() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([\w./]+)` \|", text, re.MULTILINE))
    assert {f"{name}.py" for name in SHOWN} <= rows
    folders = {f"{path.name}/" for path in EXAMPLES.iterdir() if path.is_dir()} - {"__pycache__/"}
    assert rows - {f"{name}.py" for name in SHOWN} <= folders
