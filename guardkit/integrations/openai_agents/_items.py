"""What goes to a model and comes from it, as `wrap` reads it.

The SDK speaks in items of the Responses dialect, which are handed over as they are. Only calls of
tools that the SDK runs itself, in shapes of their own, are shown as calls of functions.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from guardkit.errors import UsageError

from .._around import Plain, Said

_SECRETS: Final = frozenset({"authorization", "headers"})
"""Of a hosted MCP server: for its provider alone, never for a model."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of one call of a model. Its repr shows none of them."""

    system_instructions: str | None
    input: Any
    model_settings: Any
    tools: Any
    output_schema: Any
    handoffs: Any
    tracing: Any
    previous_response_id: str | None
    conversation_id: str | None
    prompt: Any

    def __repr__(self) -> str:
        return "<Asked>"

    @property
    def messages(self) -> list[Any]:
        """The conversation: the instructions first, where a context layer goes in front."""
        items = [_user(self.input)] if isinstance(self.input, str) else list(self.input)
        return [{"role": "system", "content": self.system_instructions or ""}, *items]

    @property
    def definitions(self) -> list[Plain]:
        """Tools and handoffs, as the model is told of them."""
        return [definition_of(tool) for tool in (*self.tools, *self.handoffs)]

    @property
    def other(self) -> list[Any]:
        """Whatever else is sent and holds text."""
        settings, schema = self.model_settings, self.output_schema
        is_plain = schema is None or schema.is_plain_text()
        return [
            self.prompt,
            settings.metadata,
            settings.extra_body,
            {k: v for k, v in (settings.extra_args or {}).items() if _may_hold_text(v)},
            None if is_plain else schema.json_schema(),
        ]

    def sent(self, said: Said) -> Asked:
        """The same with the changes that rules made.

        Raises:
            UsageError: A rule rewrote what cannot be changed.
        """
        first, *items = said.messages
        instructions = first["content"] or self.system_instructions
        input = items
        if isinstance(self.input, str):
            input = items[0]["content"]
        elif all(a is b for a, b in zip(items, self.input, strict=True)):
            input = self.input
        prompt, metadata, body, arguments, schema = said.other
        if schema != self.other[-1]:
            raise UsageError("a rule rewrites the schema of the output, which cannot be changed")
        settings = self.model_settings
        was = (settings.metadata, settings.extra_body, self.other[3])
        if (metadata, body, arguments) != was:
            extra = {**settings.extra_args, **arguments} if arguments else settings.extra_args
            settings = dataclasses.replace(
                settings, metadata=metadata, extra_body=body, extra_args=extra
            )
        tools = [
            _redefined(tool, definition)
            for tool, definition in zip((*self.tools, *self.handoffs), said.tools, strict=True)
        ]
        count = len(self.tools)
        return dataclasses.replace(
            self,
            system_instructions=instructions,
            input=input,
            model_settings=settings,
            tools=tools[:count],
            handoffs=tools[count:],
            prompt=prompt,
        )

    def given_to(self, method: Any) -> Any:
        """What a method of the model gives back for them."""
        return method(
            self.system_instructions,
            self.input,
            self.model_settings,
            self.tools,
            self.output_schema,
            self.handoffs,
            self.tracing,
            previous_response_id=self.previous_response_id,
            conversation_id=self.conversation_id,
            prompt=self.prompt,
        )


def _user(text: str) -> Plain:
    return {"role": "user", "content": text}


def _may_hold_text(value: Any) -> bool:
    return isinstance(value, str | Mapping | list | tuple)


# --- definitions

_FIELDS: Final = (
    ("name", "description", "params_json_schema"),
    ("tool_name", "tool_description", "input_json_schema"),
)
"""Of a function and of a handoff: its name, what it is for, and its parameters."""


def definition_of(tool: Any) -> Plain:
    """A tool or a handoff, as the model is told of it."""
    for name, description, schema in _FIELDS:
        if hasattr(tool, schema):
            told = {"name": getattr(tool, name), "description": getattr(tool, description)}
            return {"type": "function", **told, "parameters": getattr(tool, schema)}
    fields = {
        each.name: _told(getattr(tool, each.name))
        for each in dataclasses.fields(tool)
        if _may_hold_text(getattr(tool, each.name))
    }
    return {"type": type(tool).__name__, **fields}


def _told(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: inner for key, inner in value.items() if key not in _SECRETS}


def _redefined(tool: Any, definition: Plain) -> Any:
    was = definition_of(tool)
    if definition == was:
        return tool
    changed = {key for key, value in definition.items() if value != was[key]}
    for _, description, schema in _FIELDS:
        if hasattr(tool, schema) and changed <= {"description", "parameters"}:
            made = copy.copy(tool)
            setattr(made, description, definition["description"])
            setattr(made, schema, definition["parameters"])
            return made
    raise UsageError(f"a rule rewrites the definition of a `{type(tool).__name__}`, or its name")


# --- calls of tools that the SDK runs itself

_LOCAL: Final = frozenset({"shell_call", "local_shell_call", "apply_patch_call", "computer_call"})
_APART: Final = frozenset({"type", "id", "call_id", "status", "created_by"})


class _Call(dict[str, Any]):
    """A call of such a tool as one of a function; copies of it keep the item that it stands for."""

    own: Any


def shown(item: Any) -> Any:
    """An item of a reply as `wrap` reads it."""
    is_plain = isinstance(item, Mapping)
    kind = item.get("type") if is_plain else getattr(item, "type", None)
    if kind not in _LOCAL:
        return item
    call = _Call(
        type="function_call",
        call_id=_fields_of(item).get("call_id"),
        name=str(kind).removesuffix("_call"),
        arguments=_said(item),
    )
    call.own = item
    return call


def taken_back(item: Any) -> Any:
    """The item that may go on."""
    if not isinstance(item, _Call):
        return item
    own, arguments = item.own, item["arguments"]
    if arguments == _said(own):
        return own
    if isinstance(own, Mapping):
        return {**own, **arguments}
    return type(own).model_validate({**_fields_of(own), **arguments})


def _said(item: Any) -> Plain:
    return {key: value for key, value in _fields_of(item).items() if key not in _APART}


def _fields_of(item: Any) -> Plain:
    return dict(item) if isinstance(item, Mapping) else item.model_dump()


def of_event(event: Any, do: Callable[[Any], Any]) -> Any:
    """An event of a stream with this done to the items in it; the same one where that is nothing.

    Args:
        event: The event.
        do: `shown` or `taken_back`.
    """
    if (item := getattr(event, "item", None)) is not None:
        made = do(item)
        return event if made is item else event.model_copy(update={"item": made})
    response: Any = getattr(event, "response", None)
    items = getattr(response, "output", None) or []
    made = [do(item) for item in items]
    if all(a is b for a, b in zip(made, items, strict=True)):
        return event
    response = response.model_copy(update={"output": made})
    return event.model_copy(update={"response": response})
