"""One conversation about a parcel: what the model says, and what it must never say."""

from __future__ import annotations

from typing import Any

from ._upstream_double import Say

TEXT = "Grüße: the parcel leaves on Tuesday 🚚."
LEAK = "All is fine so far. FORBIDDEN is what nobody may read, and more."
CALLS = (("find_order", '{"id": "A-1", "lines": [1, 2]}'), ("send", '{"to": "me@example.com"}'))
FULL = Say(TEXT, CALLS, reasoning="They ask for a parcel.", chunk=3)
ASKED: list[Any] = [{"role": "user", "content": "Where is my parcel?"}]
BAD: list[Any] = [{"role": "user", "content": "Where is the FORBIDDEN one?"}]
