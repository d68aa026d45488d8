"""A request, taken apart: texts that are judged as what they are, all other text, settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from ._fault import Fault
from ._fields import holds_no_text
from ._unknown_field import UnknownField


@dataclass(slots=True, repr=False)
class Asked:
    """What a client asks. Its repr shows none of it."""

    texts: dict[str, Any]
    """The named texts: messages, system prompt, tools."""
    rest: list[Any]
    """All other text: values of known fields, then unknown fields, then what cannot be read."""
    names: tuple[str, ...]
    """The known fields whose values stand first in `rest`."""
    settings: dict[str, Any]
    """What holds no text."""
    streams: bool = False
    body: Mapping[str, Any] = field(default_factory=dict)
    """As the client wrote it."""

    @property
    def model(self) -> str:
        """The model's name as the client wrote it."""
        name = self.body.get("model")
        return name if isinstance(name, str) else ""

    def put_together(self, texts: Mapping[str, Any], rest: list[Any]) -> dict[str, Any]:
        """The body for upstream, of what was judged."""
        body = dict(self.settings)
        body.update(zip(self.names, rest[0], strict=True))
        body.update(rest[1])
        body.update((name, text) for name, text in texts.items() if text is not None)
        return body


def since(body: Mapping[str, Any]) -> dict[str, object]:
    """What belongs to the context of a request whose conversation stands at the provider.

    Its messages are new ones, however much they look like earlier ones of the session: with this
    in their context they are not taken for those.
    """
    before = body.get("conversation")
    if before:
        return {"since": [before, token_hex(8)]}  # it says not where in the conversation
    before = body.get("previous_response_id")
    return {"since": before} if before else {}


def take_apart(
    body: Mapping[str, Any],
    texts: Mapping[str, Any],
    known: Collection[str],
    *,
    strict: bool,
    unseen: int = 0,
) -> Asked:
    """Sort the fields of a request.

    Args:
        body: The request.
        texts: The named texts.
        known: The other fields of the dialect.
        strict: Whether a field that the dialect does not have is refused; else it is judged.
        unseen: How many things the model will read, or do, that nobody can read here.

    Raises:
        Fault: There is an unknown field, and `strict` holds.
    """
    if not TOKENS.isdisjoint(body):
        raise Fault(400, "not_a_text", "tokens and embeddings in place of text cannot be judged")
    settings: dict[str, Any] = {}
    names: list[str] = []
    unknown: dict[str, Any] = {}
    for name, value in body.items():
        if name in texts:
            continue
        if name not in known:
            if strict:
                raise UnknownField("the request holds a field that is not known", name)
            unknown[name] = value
        elif holds_no_text(value):
            settings[name] = value
        else:
            names.append(name)
    streams = body.get("stream")
    if streams is not None and type(streams) is not bool:
        raise Fault(400, "wrong_type", "`stream` has to be true or false")
    rest = [[body[name] for name in names], unknown, [dict(_UNSEEN) for _ in range(unseen)]]
    return Asked(dict(texts), rest, tuple(names), settings, bool(streams), body)


TOKENS = frozenset({"prompt_token_ids", "input_ids", "prompt_embeds", "return_token_ids"})
"""Fields by which some servers take a prompt, or give a reply, in a form that nobody can read."""
_UNSEEN = {"type": "file"}
"""Read as a part that cannot be read: the policy says what becomes of it."""
