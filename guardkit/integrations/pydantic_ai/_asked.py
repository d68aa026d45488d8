"""One request to a model, as `wrap` reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from guardkit.errors import UsageError

from .._around import Plain, Said
from ._messages import (
    plain_request_part,
    plain_response,
    request_part_of,
    response_of,
)
from ._package import part_of
from ._values import merged, readable

_HEADERS: Final = "extra_headers"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of one request. Its repr shows none of them."""

    messages: list[Any]
    settings: Any
    parameters: Any

    def __repr__(self) -> str:
        return "<Asked>"

    @property
    def output_tools(self) -> tuple[str, ...]:
        """The tools that stand for the output."""
        return tuple(tool.name for tool in self.parameters.output_tools)

    @property
    def conversation(self) -> str | None:
        """The conversation that the request belongs to."""
        last = self.messages[-1] if self.messages else None
        found: str | None = getattr(last, "conversation_id", None)
        return found

    @property
    def instructions(self) -> list[Any]:
        """The instructions that are sent."""
        if self.parameters.instruction_parts is not None:
            return list(self.parameters.instruction_parts)
        for message in reversed(self.messages):
            if message.kind == "request" and message.instructions:
                return [part_of("messages").InstructionPart(content=message.instructions)]
        return []

    @property
    def plain(self) -> list[Plain]:
        """The conversation: a place for the context layer, the instructions, then part by part."""
        made: list[Plain] = [{"role": "system", "content": ""}]
        made += [{"role": "system", "content": part.content} for part in self.instructions]
        for message in self.messages:
            if message.kind == "response":
                made.append(plain_response(message))
            else:
                made += [plain_request_part(part) for part in message.parts]
        return made

    @property
    def definitions(self) -> list[Any]:
        """Tools and what else the model is told of its output."""
        parameters = self.parameters
        tools = [*parameters.function_tools, *parameters.output_tools]
        told: list[Any] = [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": readable(tool.parameters_json_schema),
            }
            for tool in tools
        ]
        output = parameters.output_object
        shape = None if output is None else readable(dataclasses.asdict(output))
        rest = [shape, parameters.prompted_output_template or None]
        return [*told, [*rest, *(_native(tool) for tool in parameters.native_tools)]]

    @property
    def other(self) -> dict[str, Any]:
        """Settings that hold text."""
        return {
            name: readable(value)
            for name, value in (self.settings or {}).items()
            if name != _HEADERS and isinstance(value, str | Mapping | list)
        }

    def sent(self, said: Said) -> Asked:
        """The same with the changes that rules made.

        Raises:
            UsageError: A rule rewrote what cannot be changed.
        """
        given = list(said.messages)
        parameters, settings = self.parameters, self.settings
        own = self.instructions
        instruction = part_of("messages").InstructionPart
        context = given.pop(0)["content"]
        made = [instruction(content=context)] if context else []
        for part in own:
            content = given.pop(0)["content"]
            is_same = content == part.content
            made.append(part if is_same else dataclasses.replace(part, content=content))
        if len(made) != len(own) or any(a is not b for a, b in zip(made, own, strict=True)):
            parameters = dataclasses.replace(parameters, instruction_parts=made)
        messages = [_taken_back(message, given) for message in self.messages]
        if said.tools != self.definitions:
            parameters = self._redefined(parameters, said.tools)
        if said.other[0] != self.other:
            changed = merged(
                {name: settings[name] for name in self.other}, self.other, said.other[0]
            )
            settings = {**settings, **changed}
        is_same = all(a is b for a, b in zip(messages, self.messages, strict=True))
        return Asked(self.messages if is_same else messages, settings, parameters)

    def _redefined(self, parameters: Any, given: list[Any]) -> Any:
        was = self.definitions
        if given[-1] != was[-1]:
            raise UsageError("a rule rewrites the definition of an output or of a native tool")
        made = []
        for tool, definition in zip(
            (*parameters.function_tools, *parameters.output_tools), given[:-1], strict=True
        ):
            if definition["name"] != tool.name:
                raise UsageError("a rule rewrites the name of a tool, which cannot be changed")
            schema = tool.parameters_json_schema
            changes = {
                "description": definition["description"],
                "parameters_json_schema": merged(
                    schema, readable(schema), definition["parameters"]
                ),
            }
            is_same = all(changes[name] == getattr(tool, name) for name in changes)
            made.append(tool if is_same else dataclasses.replace(tool, **changes))
        count = len(parameters.function_tools)
        return dataclasses.replace(
            parameters, function_tools=made[:count], output_tools=made[count:]
        )


def _native(tool: Any) -> Any:
    """A tool of the provider; its tokens and headers are for the provider alone."""
    return {
        each.name: readable(getattr(tool, each.name))
        for each in dataclasses.fields(tool)
        if each.name not in ("authorization_token", "headers", "kind")
    }


def _taken_back(message: Any, given: list[Plain]) -> Any:
    """The message that may be sent; takes what belongs to it from the front of `given`."""
    if message.kind == "response":
        return response_of(message, given.pop(0))
    made = [request_part_of(part, given.pop(0)) for part in message.parts]
    if all(a is b for a, b in zip(made, message.parts, strict=True)):
        return message
    return dataclasses.replace(message, parts=made)
