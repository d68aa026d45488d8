"""Documents with a place marked in them, as the features see them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from guardkit.editor import Document, Workspace

HEAD = """\
guardkit 1
policy desk
  title   "Desk"
  owner   "me@desk.example"
  version "1"

use "std/pii" version "1" as pii with (entities: [card, iban])
use "std/secrets" version "1" as secrets

param limit: score = 0.8
param hosts: list of domain = ["desk.example"]

# Words that nobody should say.
check rude.words = words { list ["blast"] }
check near = similarity { examples ["hello"] }
principle calm { tier guidelines text "Never shout." }

rule no_rude {
  tier safety
  on   input, output
  when rude.words and near >= limit
  then block "Please stay calm."
}

sequence read_then_send {
  first  tool_result
  then   tool_call
  within 5 turns
}

window repeats { count no_rude last 3 turns per session }
"""


def desk(today: date = date(2026, 11, 1)) -> Workspace:
    """A workspace that does not depend on the day."""
    return Workspace(today=today)


def marked(text: str) -> tuple[str, int]:
    """A text without its mark, and where that stood."""
    at = text.index("|")
    return text[:at] + text[at + 1 :], at


def opened(workspace: Workspace, text: str, path: Path | None = None) -> Document:
    """A document as it has just been opened and checked."""
    uri = "untitled:desk" if path is None else path.as_uri()
    document = workspace.open(uri, 1, text)
    workspace.check(document, workspace.library(document))
    return document
