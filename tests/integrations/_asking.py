"""What the tests of SDK clients share: a policy, and what is said both ways."""

from __future__ import annotations

from typing import Any, Final

from tests.server._upstream_double import Say

TEXT: Final = "Your parcel leaves on Tuesday."
FIRST: Final[list[dict[str, Any]]] = [{"role": "user", "content": "Where is NB-1234?"}]
BAD: Final[list[dict[str, Any]]] = [{"role": "user", "content": "Where is the FORBIDDEN one?"}]
LEAK: Final = Say("All is well so far. FORBIDDEN is what nobody may read, and more.", chunk=3)
ORDER: Final = Say("It is NB-4321, and it is on its way.", chunk=2)
CALL: Final = Say("", (("send", '{"to": "NB-1111"}'),), chunk=2)
BAD_CALL: Final = Say("", (("send", '{"to": "the FORBIDDEN one"}'),), chunk=2)
