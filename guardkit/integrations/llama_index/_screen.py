"""A policy before what was retrieved: what a rule stops never reaches a prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from guardkit.guard import Guard
from guardkit.types import Verdict

from .._judged import Judge, Steps
from ._messages import data_of
from ._package import package

if TYPE_CHECKING:
    Screen: Any


class Sieve:
    """Judges nodes on `retrieved`, text and metadata, each string alone and as a prompt has them.

    Args:
        judge: Who judges.
        session: The session, or a function of the query that gives it.
        context: Facts, or a function of the query that gives them.
    """

    def __init__(self, judge: Judge, session: Any, context: Any) -> None:
        self._judge, self._session, self._context = judge, session, context
        self.dropped = 0

    def __repr__(self) -> str:
        return f"<Sieve {self._judge.guard!r}>"

    def __deepcopy__(self, memo: Any) -> Sieve:
        return self  # a guard has locks

    def kept(self, nodes: Sequence[Any], query: Any) -> list[Any]:
        """The nodes that may go on, changed where a rule rewrote them."""
        keys, kept = self._keys(query), []
        for found in nodes:
            judged = self._judge.run(self._steps(found.node, keys))
            kept += self._node(found, judged.value, judged.stop)
        return kept

    async def akept(self, nodes: Sequence[Any], query: Any) -> list[Any]:
        """The nodes that may go on; see `kept`."""
        keys, kept = self._keys(query), []
        for found in nodes:
            judged = await self._judge.arun(self._steps(found.node, keys))
            kept += self._node(found, judged.value, judged.stop)
        return kept

    def _keys(self, query: Any) -> dict[str, Any]:
        session = self._session(query) if callable(self._session) else self._session
        context = self._context(query) if callable(self._context) else self._context
        return {"session": session, "context": context}

    def _steps(self, node: Any, keys: Mapping[str, Any]) -> Steps:
        mode = package("schema").MetadataMode.LLM
        return self._judge.data(
            _plain(node),
            "retrieved",
            keys,
            as_one=lambda v: str(_changed(node, v).get_content(mode)),
        )

    def _node(self, found: Any, value: Any, stop: Verdict | None) -> list[Any]:
        if stop is not None:
            self.dropped += 1
            return []
        node = _changed(found.node, value)
        return [found if node is found.node else found.model_copy(update={"node": node})]


def _plain(node: Any) -> dict[str, Any]:
    none = package("schema").MetadataMode.NONE
    made: dict[str, Any] = {
        "text": node.get_content(none),
        "metadata": data_of(node.metadata),
    }
    if any(getattr(node, name, None) is not None for name in _UNREAD):
        made["file"] = b""
    return made


_UNREAD = (
    *("image_resource", "audio_resource", "video_resource"),
    *("image", "image_path", "image_url"),
)


def _changed(node: Any, value: Mapping[str, Any]) -> Any:
    """A copy of a node with what a rule rewrote; the node itself where that is nothing."""
    was = _plain(node)
    if value["text"] == was["text"] and value["metadata"] == was["metadata"]:
        return node
    made = node.model_copy()
    if value["text"] != was["text"]:
        made.set_content(value["text"])
    if value["metadata"] != was["metadata"]:
        own = node.metadata
        made.metadata = {
            key: own[key] if value["metadata"].get(key) == was["metadata"].get(key) else inner
            for key, inner in value["metadata"].items()
        }
    return made


def _screen_class() -> Any:
    from pydantic import PrivateAttr

    postprocessor: Any = package("postprocessor.types").BaseNodePostprocessor

    class Screen(postprocessor):  # type: ignore[misc]  # the package is not typed here
        """A node postprocessor that lets through what a policy lets pass on `retrieved`.

        A node that a rule stops, or that could not be judged, is dropped; what a rule rewrites is
        changed in a copy. It goes last: a postprocessor after it may bring other text.

        Args:
            policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
            on_hold: Treat what is held for approval as blocked, or wait for the approval.
            session: The session, or a function of the query that gives it.
            context: Facts for `context.…`, or a function of the query that gives them.
            watch: Told of every verdict that is more than a pass.

        Raises:
            PolicyError: The policy is wrong.
            BindError: This machine cannot run it.
            UsageError: The policy needs a session.

        Example:
            >>> index.as_query_engine(node_postprocessors=[Screen("docs.guard")])  # doctest: +SKIP
        """

        _sieve: Any = PrivateAttr(default=None)

        def __init__(
            self,
            policy: str | Guard | None = None,
            *,
            on_hold: Literal["block", "wait"] = "block",
            session: str | Callable[[Any], str | None] | None = None,
            context: Mapping[str, object] | Callable[[Any], Mapping[str, object]] | None = None,
            watch: Callable[[Verdict], object] | None = None,
        ) -> None:
            super().__init__()
            judge = Judge(policy, on_hold=on_hold, watch=watch)
            judge.need_session(session)
            self._sieve = Sieve(judge, session, context)

        @classmethod
        def class_name(cls) -> str:
            return "GuardkitScreen"

        @property
        def dropped(self) -> int:
            """How many nodes were dropped so far."""
            count: int = self._sieve.dropped
            return count

        def _postprocess_nodes(self, nodes: Any, query_bundle: Any = None) -> Any:
            return self._sieve.kept(nodes, query_bundle)

        async def _apostprocess_nodes(self, nodes: Any, query_bundle: Any = None) -> Any:
            return await self._sieve.akept(nodes, query_bundle)

    Screen.__qualname__ = "Screen"
    return Screen


def __getattr__(name: str) -> Any:
    if name != "Screen":
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`", name=name)
    made = globals()["Screen"] = _screen_class()
    return made
