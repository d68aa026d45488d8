"""One question to the decision API: read strictly, so that nothing in it is passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from guardkit.judging import Whose
from guardkit.runtime import MAX_CHARS
from guardkit.types import SURFACES, Surface
from guardkit.wire import Fault, UnknownField

from ._http import Request
from ._policies import Live

MOST_ITEMS: Final = 256
"""So many questions may be asked in one batch."""
UNITS: Final = ("utf8", "utf16")
"""What offsets can be counted in besides code points: bytes, and code units of UTF-16."""
SURFACES_OF: Final[Mapping[str, tuple[Surface, ...]]] = {
    "text": ("input", "retrieved", "tool_result", "output"),
    "messages": ("input", "output"),
    "arguments": ("tool_call",),
}
"""Where what is asked about may stand, the usual place first. Messages on `input` are what a model
is to read, those on `output` what it said."""
SESSION: Final = re.compile(r"[\x21-\x7e]{1,200}\Z")
AROUND: Final = ("on", "context", "session", "sources")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "text": (*AROUND, "tool", "explain", "offsets"),
    "messages": AROUND,
    "arguments": (*AROUND, "tool", "explain"),
}
"""What can be asked about, each with what may stand beside it."""


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """One thing to check. Its repr shows nothing of it."""

    on: Surface
    text: str | None = None
    messages: list[dict[str, Any]] | None = None
    tool: str | None = None
    arguments: Mapping[str, object] | str | None = None
    """Of a call; None for what is no call."""
    context: Mapping[str, object] | None = None
    session: str | None = None
    sources: Mapping[str, list[str]] | None = None
    explain: bool = False
    offsets: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Question:
        """What a client asks.

        Raises:
            Fault: It makes no sense.
        """
        about = [name for name in FIELDS if name in body]
        if len(about) != 1:
            message = "ask about one of `text`, `messages`, and a `tool` with its `arguments`"
            raise Fault(400, "not_one_thing", message)
        for name in body:
            if name != about[0] and name not in FIELDS[about[0]]:
                raise UnknownField("the request holds a field that has no meaning here", name)
        question = cls(
            _surface(_field(body, "on", str), about[0]),
            _needed(body, "text", str) if about == ["text"] else None,
            _needed(body, "messages", list) if about == ["messages"] else None,
            _field(body, "tool", str),
            _needed(body, "arguments", dict, str) if about == ["arguments"] else None,
            _field(body, "context", dict),
            _field(body, "session", str),
            _field(body, "sources", dict),
            _field(body, "explain", bool) or False,
            tuple(_field(body, "offsets", list) or ()),
        )
        question._check(has_tool="tool" in body)
        return question

    def _check(self, *, has_tool: bool) -> None:
        if self.text is not None and len(self.text) > MAX_CHARS:
            raise Fault(413, "too_large", f"the text has more than {MAX_CHARS:,} characters")
        if self.messages is not None and (
            not self.messages or any(type(each) is not dict for each in self.messages)
        ):
            raise Fault(400, "wrong_type", "`messages` has to be a list of objects, and not empty")
        if self.arguments is not None and self.tool is None:
            raise Fault(400, "missing_field", "beside `arguments` stands the `tool` they are for")
        if self.text is not None and has_tool and self.on != "tool_result":
            message = "`tool` stands beside `arguments`, or beside a `text` on `tool_result`"
            raise Fault(400, "not_together", message)
        if self.session is not None and SESSION.match(self.session) is None:
            raise Fault(400, "bad_session", "`session` has to be 1 to 200 visible characters")
        if any(unit not in UNITS for unit in self.offsets):
            raise Fault(400, "wrong_type", "`offsets` has to be a list of `utf8` and `utf16`")
        for name, texts in (self.sources or {}).items():
            is_texts = type(texts) is list and all(type(text) is str for text in texts)
            if name not in SURFACES or not is_texts:
                raise Fault(400, "wrong_type", "`sources` has to hold lists of texts, by surface")

    def whose(self, request: Request, live: Live) -> Whose:
        """What stands around it; the tenant is that of the key, whatever the context says.

        Raises:
            Fault: The policy needs a session, and none was named.
        """
        if self.session is None and live.guard.needs_session:
            message = "this policy remembers a conversation: name it in `session`"
            raise Fault(400, "session_required", message)
        tenant = request.tenant.name
        facts = {**(self.context or {}), "tenant": tenant}
        return Whose(tenant, self.session, facts, self.sources or {})


# Any: a field of the kinds that were asked for.
def _field(body: Mapping[str, Any], name: str, *kinds: type) -> Any:
    value = body.get(name)
    if value is not None and type(value) not in kinds:
        raise Fault(400, "wrong_type", f"`{name}` is of a wrong type")
    return value


def _needed(body: Mapping[str, Any], name: str, *kinds: type) -> Any:
    value = _field(body, name, *kinds)
    if value is None:
        raise Fault(400, "wrong_type", f"`{name}` is of a wrong type")
    return value


def _surface(name: str | None, about: str) -> Surface:
    known = SURFACES_OF[about]
    for surface in known:
        if name is None or surface == name:
            return surface
    shown = ", ".join(f"`{surface}`" for surface in known)
    raise Fault(400, "no_such_surface", f"`on` has to be one of {shown} here")
