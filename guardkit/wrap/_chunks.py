"""Reads one chunk of a stream of objects: text of which field, piece of which call, end of what."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from guardkit.errors import UsageError

from ._parts import HANDS, Part, is_quiet, no_text, read_reply
from ._tool_arguments import parse_arguments
from ._values import MISSING, Path, like, member, members, put, word


class Said(NamedTuple):
    """A piece of text."""

    choice: Hashable
    field: Hashable
    text: str
    make: Callable[[str], Any]
    """A chunk that says this text, in this field, and nothing else."""


class Piece(NamedTuple):
    """A piece of a tool call. Calls are held until they are whole."""

    choice: Hashable
    call: Hashable
    name: str
    arguments: str
    make: Callable[[str, str], list[Any]]
    """The chunks that make the whole call, from its name and arguments. The first one is used."""


class Chunk(NamedTuple):
    """What one chunk holds."""

    said: list[Said]
    pieces: list[Piece]
    ends: list[Hashable]
    """Choices, or (choice, call), that end with it."""
    rest: Any = None
    """What is left of the chunk without its text and calls; None where nothing is."""
    is_whole: bool = False
    """Whether `rest` has to be judged by itself, like a reply."""
    waits_for: Hashable = None
    """`rest` announces a call, and may go on once the chunk comes that `brings` it whole."""
    brings: Hashable = None
    names: Sequence[str] = ()
    """Texts that do not stream: they are judged each by itself."""


def read_chunk(chunk: Any) -> Chunk:
    """One chunk in any dialect; what is not known is judged like a reply, its texts as streams."""
    if (no := no_text(chunk)) is not None:
        raise UsageError(f"the stream gave a `{no}`, which holds no text to judge")
    kind = word(chunk, "type")
    if isinstance(choices := member(chunk, "choices"), list):
        said = _content(chunk, choices) if len(choices) == 1 else None
        return _openai(chunk, choices) if said is None else Chunk([said], [], [])
    if kind.startswith("response."):
        return _responses(chunk, kind)
    if kind.startswith(("content_block_", "message_")) or kind == "ping":
        return _anthropic(chunk, kind)
    if member(chunk, "tool_call_chunks", MISSING) is not MISSING:
        return _langchain(chunk)
    return _any(chunk)


# --- chat completions

# fmt: off
ENVELOPE = frozenset({
    "id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier",
    "obfuscation", "type", "role",
})
# fmt: on
_ONE_CHOICE = frozenset({"index", "delta"})
_PLAIN = ENVELOPE - {"usage"}
_QUIET = _PLAIN - {"choices", "created"}
_SHOWN = frozenset({"text", "content", "thinking", "reasoning", "summary", "transcript"})
"""What an object within a delta says piece by piece; its other texts come whole."""


def _content(chunk: Any, choices: list[Any]) -> Said | None:
    """A chunk that holds a piece of content and nothing else: nearly all of them."""
    choice = choices[0]
    inner, beside = _filled(choice), _filled(chunk)
    if inner is None or beside is None or not (inner <= _ONE_CHOICE and beside <= _PLAIN):
        return None
    delta = member(choice, "delta")
    if _filled(delta) != {"content"} or not isinstance(text := member(delta, "content"), str):
        return None
    if not all(is_quiet(key, member(chunk, key)) for key in beside & _QUIET):
        return None

    def make(shown: str) -> Any:
        if shown == text:
            return chunk
        new = put(choice, {("delta",): put(delta, {("content",): shown})})
        return put(chunk, {("choices",): [new]})

    return Said(member(choice, "index", 0), ("delta", "content"), text, make)


def _filled(value: Any) -> set[str] | None:
    """The names of the members that are there; None where only asking tells."""
    if type(value) is not dict:
        if not hasattr(value, "__pydantic_extra__") or value.__pydantic_extra__:
            return None
        value = vars(value)
    return {key for key, inner in value.items() if inner is not None}


def _openai(chunk: Any, choices: list[Any]) -> Chunk:
    said: list[Said] = []
    pieces: list[Piece] = []
    ends: list[Hashable] = []
    left: dict[Path, Any] = {}
    keeps = not choices
    taken: set[Path] = set()
    for place, choice in enumerate(choices):
        number = member(choice, "index", place)
        if member(choice, "message") is not None:
            return Chunk([], [], [], chunk, True)
        if member(choice, "logprobs") is not None:
            left["choices", place, "logprobs"] = None  # they spell out what may be held back
        quiet: dict[Path, Any] = {("finish_reason",): None, ("logprobs",): None}
        quiet = {path: new for path, new in quiet.items() if member(choice, path[0]) is not None}
        if text := word(choice, "text"):
            said.append(_said(chunk, choice, number, ("text",), text, quiet))
            left["choices", place, "text"] = ""
            taken.add(("choices", place, "text"))
        delta = member(choice, "delta")
        texts = [] if delta is None else list(members(delta) or ())
        silent = {("delta", key): None for key, inner in texts if inner and key != "role"}
        for key, inner in texts:
            if key == "role" or not inner:
                keeps = keeps or bool(inner)
            elif isinstance(inner, str):
                at = ("delta", key)
                said.append(_said(chunk, choice, number, at, inner, {**silent, **quiet}))
                left["choices", place, *at] = "" if key == "content" else None
                taken.add(("choices", place, *at))
            elif key in ("tool_calls", "function_call"):
                left["choices", place, "delta", key] = None
                listed = inner if key == "tool_calls" else [inner]
                for order, call in enumerate(listed):
                    where: Path = ("choices", place, "delta", key)
                    where = (*where, order, "function") if key == "tool_calls" else where
                    taken.add((*where, "arguments"))
                    make = _openai_call(chunk, choice, key, call, {**silent, **quiet})
                    function = call if key == "function_call" else member(call, "function")
                    which = member(call, "index", order) if key == "tool_calls" else key
                    name, arguments = word(function, "name"), word(function, "arguments")
                    pieces.append(Piece(number, which, name, arguments, make))
            else:
                parts = read_reply(inner).parts
                if any(part.kind != "text" for part in parts):
                    return Chunk([], [], [], chunk, True)
                shown = {
                    ("delta", key, *part.path): part.text
                    for part in parts
                    if not part.is_fixed and part.path and part.path[-1] in _SHOWN
                }
                others = {path: new for path, new in silent.items() if path != ("delta", key)}
                for at, text in shown.items():
                    alone: dict[Path, Any] = {**others, **dict.fromkeys(shown, ""), **quiet}
                    said.append(_said(chunk, choice, number, at, text, alone))
                    taken.add(("choices", place, *at))
                if shown:
                    left["choices", place, "delta", key] = None
                keeps = keeps or not shown
        if member(choice, "finish_reason") is not None:
            ends.append(number)
    keeps = keeps or bool(ends) or member(chunk, "usage") is not None
    rest = put(chunk, left) if keeps else None
    read = Chunk(said, pieces, ends, rest)
    return read if _is_bare_calls(chunk, choices) else _with_names(read, chunk, taken)


def _is_bare_calls(chunk: Any, choices: list[Any]) -> bool:
    """Whether a chunk holds pieces of arguments and nothing beside them: nearly all of a call."""
    beside = _filled(chunk)
    if beside is None or not beside <= _PLAIN or len(choices) != 1:
        return False
    choice = choices[0]
    delta = member(choice, "delta")
    calls = member(delta, "tool_calls")
    if _filled(choice) != {"index", "delta"} or _filled(delta) != {"tool_calls"}:
        return False
    return (
        isinstance(calls, list)
        and all(_is_bare_call(call) for call in calls)
        and all(is_quiet(key, member(chunk, key)) for key in beside & _QUIET)
    )


def _is_bare_call(call: Any) -> bool:
    return (
        _filled(call) == {"index", "function"}
        and type(member(call, "index")) is int
        and _filled(member(call, "function")) == {"arguments"}
    )


def _with_names(read: Chunk, chunk: Any, taken: Collection[Path]) -> Chunk:
    """The same with the texts that stand beside those that stream, which have these paths."""
    names: list[str] = []
    for part in read_reply(chunk).parts:
        if part.kind == "unread":
            return Chunk([], [], [], chunk, True)
        if part.kind == "text" and part.path not in taken:
            names.append(part.text)
    return read._replace(names=names) if names else read


def _said(
    chunk: Any, choice: Any, number: Any, at: Path, text: str, quiet: dict[Path, Any]
) -> Said:
    def make(shown: str) -> Any:
        return put(chunk, {("choices",): [put(choice, {**quiet, at: shown})]})

    return Said(number, at, text, make)


def _openai_call(
    chunk: Any, choice: Any, key: str, call: Any, quiet: dict[Path, Any]
) -> Callable[[str, str], list[Any]]:
    def make(name: str, arguments: str) -> list[Any]:
        inner = ("function",) if key == "tool_calls" else ()
        whole = put(call, {(*inner, "name"): name, (*inner, "arguments"): arguments})
        new = [whole] if key == "tool_calls" else whole
        return [put(chunk, {("choices",): [put(choice, {**quiet, ("delta", key): new})]})]

    return make


# --- messages


def _anthropic(chunk: Any, kind: str) -> Chunk:
    index = member(chunk, "index", 0)
    if kind == "content_block_start":
        block = member(chunk, "content_block")
        if word(block, "type").endswith("tool_use"):
            given = member(block, "input")
            written = json.dumps(given) if given else ""
            piece = Piece(0, index, word(block, "name"), written, _anthropic_call(chunk))
            return _with_names(Chunk([], [piece], []), chunk, ())
        key = word(block, "type")
        if text := word(block, key):
            delta = {"type": f"{key}_delta", key: ""}
            event = like(chunk, {"type": "content_block_delta", "index": index, "delta": delta})
            opened = put(chunk, {("content_block", key): ""})
            # The block opens at once, and its text follows when it is cleared.
            said = _delta_like(event, index, ("delta", key), text)
            return _with_names(Chunk([said], [], [], opened), opened, ())
        return Chunk([], [], [], chunk, True)
    if kind == "content_block_delta":
        delta = member(chunk, "delta")
        if word(delta, "type") == "input_json_delta":
            at: Path = ("delta", "partial_json")
            more = Piece(0, index, "", word(delta, at[-1]), _anthropic_call(chunk))
            return _besides(Chunk([], [more], []), chunk, delta, at)
        for key in ("text", "thinking"):
            if word(delta, "type") == f"{key}_delta":
                at = ("delta", key)
                said = _delta_like(chunk, index, at, word(delta, key))
                return _besides(Chunk([said], [], []), chunk, delta, at)
        return Chunk([], [], [], chunk, True)
    if kind == "content_block_stop":
        return _besides(Chunk([], [], [(0, index)], chunk), chunk, None, ())
    if kind == "message_stop" or kind == "message_delta":
        return Chunk([], [], [0], chunk, True)
    return Chunk([], [], [], chunk, True)


_DELTA = frozenset({"type", "index", "delta"})


def _besides(read: Chunk, chunk: Any, delta: Any, at: Path) -> Chunk:
    """The same with what stands beside the text of a delta; nearly always that is nothing."""
    outer, inner = _filled(chunk), None if delta is None else _filled(delta)
    is_bare = outer is not None and outer <= _DELTA and type(member(chunk, "index")) is int
    if is_bare and (delta is None or (inner is not None and inner <= {"type", at[-1]})):
        return read
    return _with_names(read, chunk, (at,))


def _delta_like(chunk: Any, index: Any, at: Path, text: str) -> Said:
    return Said(0, (index, at[-1]), text, lambda shown: put(chunk, {at: shown}))


def _anthropic_call(chunk: Any) -> Callable[[str, str], list[Any]]:
    def make(name: str, arguments: str) -> list[Any]:
        # The block opens with no input, and one delta brings it whole.
        opened = put(chunk, {("content_block", "input"): {}})
        delta = {"type": "input_json_delta", "partial_json": arguments}
        event = {"type": "content_block_delta", "index": member(chunk, "index"), "delta": delta}
        return [opened, like(chunk, event)]

    return make


# --- responses

CALL_EVENTS = ("function_call_arguments", "mcp_call_arguments", "custom_tool_call_input")


def _responses(chunk: Any, kind: str) -> Chunk:
    if kind.split(".")[1] in CALL_EVENTS:
        return Chunk([], [], [])  # the end of the item brings the call whole
    item = member(chunk, "item")
    if word(item, "type").endswith("_call"):
        which = (word(item, "id"), member(chunk, "output_index"))
        if kind == "response.output_item.added":
            if isinstance(member(item, HANDS.get(word(item, "type"), "")), Mapping):
                return Chunk([], [], [], chunk, True)  # it says already what is to be done
            # The end of the item brings what it is called with, and only that is judged.
            bare = {("item", key): "" for key in ("arguments", "input") if word(item, key)}
            opened = put(chunk, bare)
            return _with_names(Chunk([], [], [], opened, False, which), opened, ())
        return Chunk([], [], [], chunk, True, None, which)
    if kind.endswith(".delta") and isinstance(text := member(chunk, "delta"), str):
        names = ("item_id", "output_index", "content_index", "summary_index")
        field = (kind, *(member(chunk, name) for name in names))
        blank: dict[Path, Any] = {("logprobs",): []} if member(chunk, "logprobs") else {}

        def make(shown: str) -> Any:
            return put(chunk, {**blank, ("delta",): shown})

        return _spoken(Chunk([Said(0, field, text, make)], [], []), chunk)
    is_end = kind.endswith((".done", ".completed", ".incomplete", ".failed"))
    return Chunk([], [], [0] if is_end else [], chunk, True)


_SPOKEN = frozenset({
    "type", "item_id", "output_index", "content_index", "summary_index", "delta", "logprobs",
    "sequence_number", "obfuscation",
})  # fmt: skip
_NUMBERS = ("output_index", "content_index", "summary_index", "sequence_number")


def _spoken(read: Chunk, chunk: Any) -> Chunk:
    filled = _filled(chunk)
    is_bare = (
        filled is not None
        and filled <= _SPOKEN
        and is_quiet("type", member(chunk, "type"))
        and is_quiet("item_id", member(chunk, "item_id"))
        and is_quiet("obfuscation", member(chunk, "obfuscation"))
        and all(isinstance(member(chunk, key, 0), int) for key in _NUMBERS)
    )
    return read if is_bare else _with_names(read, chunk, (("delta",),))


# --- LangChain


def _langchain(chunk: Any) -> Chunk:
    calls = member(chunk, "tool_call_chunks") or []
    bare: dict[Path, Any] = {
        (key,): []
        for key in ("tool_call_chunks", "tool_calls", "invalid_tool_calls")
        if member(chunk, key)
    }
    extra = member(chunk, "additional_kwargs") or {}
    if "tool_calls" in extra or "function_call" in extra:
        kept = {k: v for k, v in extra.items() if k not in ("tool_calls", "function_call")}
        bare["additional_kwargs",] = kept
    pieces = []
    for order, call in enumerate(calls):
        which = member(call, "index")
        make = _langchain_call(chunk, call)
        name, arguments = word(call, "name"), word(call, "args")
        pieces.append(Piece(0, order if which is None else which, name, arguments, make))
    bared = put(chunk, bare)
    ends = [0] if word(chunk, "chunk_position") == "last" else []
    if any(part.kind != "text" or part.is_fixed for part in read_reply(bared).parts):
        # A picture, a call that the provider ran, a key nobody knows: no piece of a text.
        return Chunk([], pieces, list(ends), bared, True)
    said, left = _texts(bared)
    rest = left if ends or not (said or pieces) else None
    return Chunk(said, pieces, list(ends), rest)


def _langchain_call(chunk: Any, call: Any) -> Callable[[str, str], list[Any]]:
    def make(name: str, arguments: str) -> list[Any]:
        whole = put(call, {("name",): name, ("args",): arguments})
        parsed = {"name": name, "args": parse_arguments(arguments) or {}, "type": "tool_call"}
        changes: dict[Path, Any] = {
            ("content",): "",
            ("additional_kwargs",): {},
            ("tool_call_chunks",): [whole],
            ("tool_calls",): [{**parsed, "id": member(call, "id")}],
            ("invalid_tool_calls",): [],
        }
        return [put(chunk, changes)]

    return make


# --- anything else


def _any(chunk: Any) -> Chunk:
    reader = read_reply(chunk)
    if any(part.kind != "text" for part in reader.parts):
        return Chunk([], [], [], chunk, True)
    said, left = _texts(chunk)
    names = [part.text for part in reader.parts if part.is_fixed]
    return Chunk(said, [], [], None if said else left, names=names)


def _texts(chunk: Any) -> tuple[list[Said], Any]:
    reader = read_reply(chunk)
    shown = [part for part in reader.parts if part.kind == "text" and not part.is_fixed]
    silent: dict[Path, Any] = {part.path: "" for part in shown}
    silent |= dict.fromkeys(reader.drops)
    return [_text(chunk, silent, part) for part in shown], put(chunk, silent)


def _text(chunk: Any, silent: dict[Path, Any], part: Part) -> Said:
    def make(shown: str) -> Any:
        return put(chunk, {**silent, part.path: shown})

    return Said(0, part.path, part.text, make)
