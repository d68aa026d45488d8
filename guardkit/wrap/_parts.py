"""Reads every text out of a request or a reply: what it is, and the way to it.

The walk is general: whatever is text is read. What is known about the shapes of messages only says
*as what* a text is judged, which words are not text, and which texts are shown as one.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from guardkit.errors import UsageError
from guardkit.types import Surface

from ._tool_arguments import parse_arguments
from ._values import MISSING, Path, member, members, word


class Part(NamedTuple):
    """One text, call or unreadable thing, and the way to it."""

    kind: Literal["text", "call", "unread"]
    surface: Surface
    text: str
    """The text; of a call, its arguments as written; of what cannot be read, its kind."""
    path: Path
    tool: str | None = None
    group: Path | None = None
    """Texts of one group are shown, or read by the model, as one."""
    arguments: Mapping[str, object] | None = None
    """Of a call; None where they are no JSON object."""
    is_fixed: bool = False
    """True for keys: they are judged, and cannot be changed."""
    is_plain: bool = False
    """True for calls that take one plain text, `input`."""


ROLES = frozenset({
    "user", "system", "developer", "assistant", "tool", "function", "model", "human", "ai", "chat",
    "HumanMessageChunk", "AIMessageChunk", "message",
})  # fmt: skip
TOOL_ROLES = frozenset({"tool", "function", "ToolMessageChunk", "FunctionMessageChunk"})
MODELS = frozenset({"assistant", "model", "ai", "AIMessageChunk"})
OTHERS = TOOL_ROLES | MODELS | {"system", "developer"}
"""Whoever speaks in a conversation besides its user."""
DOCUMENTS = frozenset({"document", "search_result", "retrieved"})
HANDS: Final = {
    "shell_call": "action",
    "local_shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
}
"""Calls of tools that a dialect has of its own, by what they are to do."""
CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "mcp_call"})
UNREAD = frozenset({
    "image", "image_url", "input_image", "audio", "input_audio", "output_audio", "file",
    "input_file", "video", "video_url", "media", "container_upload", "computer_screenshot",
    "image_generation_call", "audio_url", "document_url", "image_embeds", "audio_embeds",
    "video_embeds", "prompt_embeds", "image_file", "image_pil",
})  # fmt: skip
UNREAD_BY_NAME = (UNREAD - {"image", "audio", "file", "video", "media"}) | {"images", "file_id"}
"""Members of a message, or of a part of one, that cannot be read whatever its type says."""

_TYPES = re.compile(r"[A-Za-z][A-Za-z_.-]{0,39}\Z")
_ID = re.compile(r"[A-Za-z0-9_.:|-]{1,128}\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]*\Z")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}\Z")
_TOOL = re.compile(r"[A-Za-z0-9_.:/-]{0,128}\Z")
_SEALED_URL = re.compile(r"data:[a-z0-9.+/-]{0,100}(?:;[a-z0-9.=+-]{1,40}){0,4};base64,", re.I)

IDS = frozenset({"id", "tool_call_id", "tool_use_id", "call_id", "item_id", "previous_response_id"})
OPAQUE = frozenset({"signature", "encrypted_content", "thought_signature"})
PAYLOADS = frozenset({"data", "b64_json", "file_data", "base64", "bytes", "result"})
# Of a reply these say how it was made, never what it says.
# fmt: off
METADATA = frozenset({
    "object", "model", "finish_reason", "stop_reason", "system_fingerprint", "service_tier",
    "status", "type", "role", "stop_sequence", "model_name", "model_provider", "chunk_position",
    "obfuscation",
})
UNSENT = frozenset({"usage_metadata", "response_metadata", "artifact"})
KEYS = frozenset({
    "role", "type", "content", "text", "name", "id", "tool_calls", "tool_call_id", "function",
    "arguments", "args", "input", "output", "call_id", "tool_use_id", "source", "title", "data",
    "media_type", "cache_control", "is_error", "image_url", "url", "detail", "parameters",
    "description", "properties", "required", "input_schema", "strict", "enum", "items", "summary",
    "additionalProperties", "thinking", "signature", "choices", "message", "index", "refusal",
    "finish_reason", "model", "object", "created", "usage", "annotations", "citations", "answer",
    "page_content", "metadata", "additional_kwargs", "reasoning_content", "phase", "status",
})
EVENT_KEYS = frozenset({
    "delta", "content_block", "partial_json", "item", "item_id", "part", "response", "logprobs",
    "sequence_number", "output_index", "content_index", "summary_index", "custom",
})
# fmt: on
_KNOWN = KEYS | METADATA | EVENT_KEYS
BESIDE = frozenset({"annotations", "citations", "id", "name", "metadata", "source", "title"})
"""What these hold is text, but not shown as one with the rest."""
SCALARS = (
    int,
    float,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
    enum.Enum,
)  # fmt: skip
DEEPEST = 60


class Reader:
    """Collects the parts of one value.

    Args:
        is_reply: A reply is judged on `output` and its calls on `tool_call`; of a request every
            string is `input`, but for what tools and sources gave.
    """

    def __init__(self, *, is_reply: bool = False, has_roles: bool = True) -> None:
        self.parts: list[Part] = []
        self.drops: list[Path] = []
        """Where tokens are listed one by one: gone as soon as any text changes."""
        self._is_reply = is_reply
        self._has_roles = has_roles
        self._tools: dict[str, str] = {}
        self._sealed: dict[Path, str] = {}
        """Where a part that cannot be read has its bytes, and its kind."""

    def read(
        self, value: Any, path: Path = (), surface: Surface | None = None, group: Path | None = None
    ) -> None:
        """Read every part of a value."""
        self._value(value, path, surface or ("output" if self._is_reply else "input"), None, group)

    def _value(
        self, value: Any, path: Path, surface: Surface, tool: str | None, group: Path | None
    ) -> None:
        if value is None or (isinstance(value, SCALARS) and not isinstance(value, str)):
            return
        if len(path) > DEEPEST:
            raise UsageError(f"a message or reply is nested more than {DEEPEST} deep")
        if isinstance(value, str):
            if value or not path:
                self.parts.append(Part("text", surface, value, path, tool, group))
        elif isinstance(value, list | tuple):
            if _is_pair(value):
                self._pair(value, path, surface)
                return
            for place, item in enumerate(value):
                self._value(item, (*path, place), surface, tool, group)
        elif isinstance(value, bytes | bytearray | memoryview):
            self.parts.append(Part("unread", surface, "bytes", path))
        elif (found := members(value)) is not None:
            self._members(value, found, path, surface, tool, group)
        else:
            raise UsageError(_unknown(value, is_reply=self._is_reply))

    def _pair(self, value: Any, path: Path, surface: Surface) -> None:
        """`("human", "hi")`, as LangChain writes messages."""
        on: Surface = "tool_result" if value[0] in TOOL_ROLES else surface
        self._value(value[1], (*path, 1), on, None, path)

    def _members(
        self,
        value: Any,
        found: Iterator[tuple[Any, Any]],
        path: Path,
        surface: Surface,
        tool: str | None,
        group: Path | None,
    ) -> None:
        kind, role = word(value, "type"), word(value, "role")
        call = _call_of(value, kind, path)
        if call is not None:
            self._note(value, call)
            if self._is_reply:
                self.parts.append(call)
                self._beside(value, call, path, kind)
                return
        # A message says once whose it is: its parts do not, and what it is called changes nothing.
        said = role if group is None and self._has_roles else ""
        is_typed = self._has_roles and not said
        if (
            kind in UNREAD
            or (kind == "base64" and "data" in value)
            or self._is_linked(value, kind, group)
        ):
            self.parts.append(Part("unread", surface, kind, path))
            self._sealed[*path, kind] = kind
        elif said in TOOL_ROLES or (is_typed and _is_tool_message(value, kind)):
            if not self._is_reply:
                surface, tool = "tool_result", self._tool_of(value)
        elif (said in DOCUMENTS or (is_typed and kind in DOCUMENTS)) and not self._is_reply:
            surface = "retrieved"
        if group is None and (role or member(value, "content", MISSING) is not MISSING):
            group = path
        if self._is_reply and path in ((), ("response",)):
            found = _shown_of(word(value, "object"), found)
        if isinstance(value, Mapping):
            self._keys(value, path, surface, tool)
        kind = self._sealed.get(path, kind)
        for key, inner in found:
            if key == "logprobs" and self._is_reply:
                if inner is not None:
                    self.drops.append((*path, key))
            elif key in UNSENT and not isinstance(value, Mapping):
                if key == "response_metadata" and member(inner, "logprobs") is not None:
                    self.drops.append((*path, key, "logprobs"))
            elif not _is_silent(key, inner, kind, is_reply=self._is_reply):
                shown = (*path, key) if key == "output" and self._is_reply else group
                shown = None if key in BESIDE else shown
                self._value(inner, (*path, key), surface, tool, shown)

    def _is_linked(self, value: Any, kind: str, group: Path | None) -> bool:
        """Whether a part of a message, whatever it is called, brings what nobody here can read."""
        if self._is_reply or not self._has_roles or not isinstance(value, Mapping):
            return False
        if kind == "url" and "url" in value:
            return True  # a document that the provider fetches
        is_message = bool(word(value, "role")) or group is not None
        return is_message and any(value.get(name) for name in UNREAD_BY_NAME & value.keys())

    def _beside(self, value: Any, call: Part, path: Path, kind: str) -> None:
        """What stands beside the name and the arguments of a call: text like any other."""
        for key, inner in members(value) or ():
            here = (*path, key)
            if here == call.path[:-1]:
                self._beside(inner, call, here, "")
            elif key == "name" and isinstance(inner, str):
                if _TOOL.match(inner) is None:
                    self.parts.append(Part("text", "output", inner, here, is_fixed=True))
            elif here != call.path and not _is_silent(key, inner, kind, is_reply=self._is_reply):
                self._value(inner, here, "output", None, None)
        if isinstance(value, Mapping):
            self._keys(value, path, "output", None)

    def _keys(
        self, value: Mapping[Any, Any], path: Path, surface: Surface, tool: str | None
    ) -> None:
        """Names that no dialect prescribes are text too: the model reads them, a user sees them."""
        keys = [key for key in value if isinstance(key, str) and key not in _KNOWN]
        if keys:
            names = "\n".join(keys)
            where = (*path, MISSING)
            self.parts.append(Part("text", surface, names, where, tool, is_fixed=True))

    def _note(self, value: Any, call: Part) -> None:
        for name in ("id", "call_id"):
            if said := word(value, name):
                self._tools[said] = call.tool or ""

    def _tool_of(self, value: Any) -> str | None:
        if name := word(value, "name"):
            return name
        for key in ("tool_call_id", "tool_use_id", "call_id"):
            if name := self._tools.get(word(value, key), ""):
                return name
        return None


def is_known(name: Any) -> bool:
    """Whether a name is one that a dialect prescribes; any other is text like what it names."""
    return not isinstance(name, str) or name in _KNOWN


def _shown_of(kind: str, found: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """The members of a whole reply that say something."""
    if kind == "response":  # it repeats the request; what is shown stands here
        return ((key, inner) for key, inner in found if key in _ANSWERS)
    if kind == "chat.completion":
        return ((key, inner) for key, inner in found if key != "usage")
    return found


_ANSWERS = frozenset({"choices", "output", "output_text"})


def is_quiet(name: str, value: Any) -> bool:
    """Whether a member of a reply is no text: a word that its dialect prescribes, or an id."""
    return value is None or _is_silent(name, value, "", is_reply=True)


def _is_silent(key: Any, inner: Any, kind: str, *, is_reply: bool) -> bool:
    """Whether a member is no text: a word the dialect prescribes, an id, sealed bytes."""
    if not isinstance(inner, str):
        return False
    if key == "role":
        return inner in ROLES
    if key == "type":
        return _TYPES.match(inner) is not None
    if key in IDS:
        return _ID.match(inner) is not None
    if key in OPAQUE:
        return _BASE64.match(inner) is not None
    if is_reply and key in METADATA:
        return _WORD.match(inner) is not None
    if kind == "base64" or kind in UNREAD:
        return _is_sealed(key, inner)
    return False


def read_reply(value: Any) -> Reader:
    """The parts of a reply."""
    reader = Reader(is_reply=True)
    reader.read(value)
    return reader


def is_asking(message: Any) -> bool:
    """Whether a message is its user's, as far as it says whose it is."""
    if _is_pair(message):
        return message[0] not in OTHERS
    kind = word(message, "type")
    is_call = kind in CALLS or kind.endswith(("_call", "_call_output", "reasoning"))
    return not is_call and word(message, "role") not in OTHERS and kind not in OTHERS


def is_answer(message: Any) -> bool:
    """Whether a message is what the model said before."""
    if _is_pair(message):
        return message[0] in MODELS
    return word(message, "role") in MODELS or word(message, "type") in MODELS


def no_text(value: Any) -> str | None:
    """The type of a value that holds no text, for lists that of what is in them."""
    if isinstance(value, str):
        return None
    if value is None or isinstance(value, (bytes, bytearray, memoryview, *SCALARS)):
        return type(value).__qualname__
    if isinstance(value, list | tuple):
        return next((kind for kind in map(no_text, value) if kind is not None), None)
    return None


def _is_sealed(key: Any, inner: str) -> bool:
    """Whether this is the bytes of a part that cannot be read: said so once, for all of it."""
    if key == "format":
        return _TYPES.match(inner) is not None
    begin = _SEALED_URL.match(inner)
    if begin is None and key not in PAYLOADS:
        return False
    return _BASE64.match(inner, 0 if begin is None else begin.end()) is not None


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and value[0] in ROLES | TOOL_ROLES


def _is_tool_message(value: Any, kind: str) -> bool:
    if kind in TOOL_ROLES:  # `function` is what a call and a definition are of, too
        return member(value, "content", MISSING) is not MISSING
    return kind.endswith(("tool_result", "_call_output")) or kind == "local_shell_call_output"


def _call_of(value: Any, kind: str, path: Path) -> Part | None:
    """A tool call in one of its shapes."""
    inner = member(value, "function")
    if inner is not None and member(inner, "name") is not None and not isinstance(inner, str):
        # A definition has parameters where a call has arguments.
        if member(inner, "arguments", MISSING) is MISSING:
            return None
        return _call(
            word(inner, "name"), member(inner, "arguments"), (*path, "function", "arguments")
        )
    if kind == "custom_tool_call":
        return _plain_call(value, path)
    if kind == "custom" and member(inner := member(value, "custom"), "input") is not None:
        return _plain_call(inner, (*path, "custom"))
    if kind in HANDS and isinstance(inner := member(value, HANDS[kind]), Mapping):
        return _call(kind.removesuffix("_call"), inner, (*path, HANDS[kind]))
    if kind in CALLS:
        key = "input" if member(value, "input", MISSING) is not MISSING else "arguments"
        return _call(word(value, "name"), member(value, key), (*path, key))
    if kind in ("tool_call", "invalid_tool_call") or _is_bare_call(value):
        key = "args" if member(value, "args", MISSING) is not MISSING else "arguments"
        return _call(word(value, "name"), member(value, key), (*path, key))
    return None


def _plain_call(value: Any, path: Path) -> Part:
    """A call that takes one text."""
    written = member(value, "input")
    said = {"input": written} if isinstance(written, str) else written
    text = written if isinstance(written, str) else ""
    where = (*path, "input")
    return Part("call", "tool_call", text, where, word(value, "name"), None, said, is_plain=True)


def _is_bare_call(value: Any) -> bool:
    if not word(value, "name"):
        return False
    return any(isinstance(member(value, key), str | Mapping) for key in ("args", "arguments"))


def _call(name: str, arguments: Any, path: Path) -> Part:
    if isinstance(arguments, str):
        return Part("call", "tool_call", arguments, path, name, None, parse_arguments(arguments))
    if arguments is None:
        return Part("call", "tool_call", "", path, name, None, {})
    if not isinstance(arguments, Mapping):
        raise UsageError(f"a tool call has arguments of type `{type(arguments).__qualname__}`")
    return Part("call", "tool_call", "", path, name, None, arguments)


def _unknown(value: Any, *, is_reply: bool) -> str:
    kind = type(value).__qualname__
    if is_reply:
        return f"the callable gave back a `{kind}`, which cannot be read: say how with `reply=`"
    return f"the text to judge holds a `{kind}`, which cannot be read: say how with `text=`"
