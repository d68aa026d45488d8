"""Requests and their results as they stand on the wire: what of them is judged, and where.

Servers and clients share it. What a peer sends is `tool_result` or `retrieved`, whichever side
looks; what is asked of it is `tool_call` or `input`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from guardkit.types import Surface, Verdict

from .._judged import Judge

Plain = Mapping[str, Any]

PROTOCOL: Final = frozenset({
    "initialize", "server/discover", "ping", "logging/setLevel", "subscriptions/listen",
})  # fmt: skip
"""Requests that only two machines read."""

LISTINGS: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}

_SURFACES: Final[Mapping[str, Surface]] = {
    "resources/read": "retrieved",
    "prompts/get": "retrieved",
    "completion/complete": "retrieved",
    "initialize": "input",
    "server/discover": "input",
}

_UNSAID: Final = ("_meta", "requestState")
"""Parameters that are no text: one is read by machines, one is sealed by the server."""


class Refusal(Exception):  # noqa: N818 - it only carries a verdict out
    """A request or its result was stopped."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


class Wire:
    """Judges what passes.

    Args:
        judge: Who judges.
        keys: Context and session.
    """

    def __init__(self, judge: Judge, keys: Mapping[str, Any]) -> None:
        self._judge, self._keys = judge, keys

    async def asked(self, method: str, params: Plain | None) -> Plain | None:
        """The parameters to go on with; the same object where no rule changed them.

        Raises:
            Refusal: A rule stopped the request.
        """
        if not params or method in PROTOCOL:
            return params
        made = {key: value for key, value in params.items() if key not in _UNSAID}
        if method == "tools/call":
            name, arguments = made.pop("name", None), made.pop("arguments", None)
            if not isinstance(name, str) or not isinstance(arguments, Mapping | None):
                return params  # MCP refuses it before anybody reads it
            steps = self._judge.call(name, arguments or {}, self._keys)
            given = await self._done(steps)
            rest = await self.text(made, "input")
            is_same = given is arguments or (arguments is None and not given)
            if is_same and rest is made:
                return params
            return {**params, **rest, "arguments": given}
        rest = await self.text(made, "input")
        return params if rest is made else {**params, **rest}

    async def answered(self, method: str, params: Plain | None, result: Plain) -> Plain:
        """The result to go on with; the same object where no rule changed it.

        Raises:
            Refusal: A rule stopped it.
        """
        if method in ("ping", "logging/setLevel", "subscriptions/listen"):
            return result
        listed = LISTINGS.get(method)
        if listed is not None and isinstance(result.get(listed), list):
            return await self._listing(listed, result)
        on = surface_of(method)
        tool = name_of(params) if method == "tools/call" else None
        return await self.text(result, on, tool)  # type: ignore[no-any-return]  # a mapping stays one

    async def text(self, value: Any, on: Surface, tool: str | None = None) -> Any:
        """Any value, each string of it alone and those that are shown as one together.

        Raises:
            Refusal: A rule stopped it.
        """
        return await self._done(self._judge.data(value, on, self._keys, tool=tool, as_one=_shown))

    async def _listing(self, listed: str, result: Plain) -> Plain:
        """What a listing may name: an entry that a rule stops is left out."""
        kept: list[Any] = []
        for entry in result[listed]:
            judged = await self._judge.arun(self._judge.data(entry, "input", self._keys))
            if judged.stop is None:
                kept.append(judged.value)
        beside = {key: value for key, value in result.items() if key != listed}
        rest = await self.text(beside, "input")
        is_same = len(kept) == len(result[listed]) and all(
            a is b for a, b in zip(kept, result[listed], strict=True)
        )
        return result if is_same and rest is beside else {**rest, listed: kept}

    async def _done(self, steps: Any) -> Any:
        judged = await self._judge.arun(steps)
        if judged.stop is not None:
            raise Refusal(judged.stop)
        return judged.value


def surface_of(method: str) -> Surface:
    """Where the result of a request is judged; also its error."""
    return "input" if method in LISTINGS else _SURFACES.get(method, "tool_result")


def name_of(params: Plain | None) -> str | None:
    """The tool of a call."""
    name = (params or {}).get("name")
    return name if isinstance(name, str) else None


def _shown(value: Any) -> str:
    """The texts of a result as a model reads them, one after the other."""
    return "".join(_texts(value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            elif key != "structuredContent":  # the same once more, for machines
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
