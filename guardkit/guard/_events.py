"""From what a caller hands in to an event that can be judged, or the verdict on what cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guardkit.errors import UsageError
from guardkit.plan import Plan
from guardkit.runtime import Bound, Event, Glance, unread
from guardkit.types import Verdict

from ._arguments import is_plain, json_object, mapping_of, surface_of, text_of


class Events:
    """Makes the events of one bound policy.

    Raises:
        UsageError: From every method: the call makes no sense.
    """

    __slots__ = ("_bound", "_plan")

    def __init__(self, plan: Plan, bound: Bound) -> None:
        self._plan = plan
        self._bound = bound

    def of_text(
        self,
        text: str,
        on: str,
        context: Mapping[str, object] | None,
        session: str | None,
        tenant: str,
        tool: str | None,
        sources: Mapping[str, Sequence[str]] | None,
        same_turn: bool = False,
        again: bool = False,
        glance: Glance | None = None,
    ) -> Event | Verdict:
        """A text on a surface."""
        surface = surface_of(on)
        text_of(text)
        if surface == "tool_call":
            return self.of_call(tool or "", text, context, session, tenant)
        self.need_session(session, tenant)
        return Event(
            surface,
            text,
            tool,
            None,
            mapping_of(context, "context"),
            session,
            tenant,
            sources or {},
            same_turn=same_turn,
            again=again,
            glance=glance,
        )

    def of_call(
        self,
        name: str,
        arguments: Mapping[str, object] | str,
        context: Mapping[str, object] | None,
        session: str | None,
        tenant: str,
    ) -> Event | Verdict:
        """A tool call, its arguments read."""
        if not isinstance(name, str):
            raise UsageError(f"a tool's name has to be a str, not {type(name).__name__}")
        self.need_session(session, tenant)
        read: object = json_object(arguments) if isinstance(arguments, str) else arguments
        if read is None and isinstance(arguments, str):
            return unread(self._plan, "tool_call", name)
        if not isinstance(read, Mapping):
            raise UsageError(
                f"the arguments of a tool call have to be a mapping, not {type(arguments).__name__}"
            )
        if not is_plain(read):
            return unread(self._plan, "tool_call", name)
        if session is not None:
            # What the model was shown as a pseudonym is judged and used as what it stands for.
            read = {
                key: self._bound.vault.restored(tenant, session, value)
                for key, value in read.items()
            }
        facts = mapping_of(context, "context")
        return Event("tool_call", "", name, read, facts, session, tenant)

    def need_session(self, session: str | None, tenant: str) -> None:
        """A policy that remembers has to know whose text it is."""
        if session is None:
            if self._bound.engine.needs_session:
                raise UsageError(
                    "this policy remembers things over a session: name it with `session=`"
                )
        elif not isinstance(session, str):
            raise UsageError(f"a session is named by a str, not {type(session).__name__}")
        if not isinstance(tenant, str):
            raise UsageError(f"a tenant is named by a str, not {type(tenant).__name__}")
