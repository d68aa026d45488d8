"""What this room needs of a guard: the public surface of one, as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from guardkit.types import Surface, Verdict

Context = Mapping[str, object]
Sources = Mapping[str, Sequence[str]]
"""What went in, by surface, for checks of the reply that compare."""


class Streaming(Protocol):
    """The judgement of one stream of text, chunk by chunk. It never raises for a verdict.

    More is used where a stream has it: `ahead() -> str | None`, what `finish` would probably give
    if the text were over now, None where it cannot tell; `held`, what it holds, as it was written;
    `behind`, how many characters before a text may belong to a match in it.
    """

    @property
    def verdict(self) -> Verdict | None:
        """None until decided."""

    @property
    def closed(self) -> bool:
        """True after a block, and at the end: nothing more will come out."""

    def feed(self, chunk: str, /) -> str:
        """What may be shown now."""

    def finish(self) -> str:
        """The rest."""

    async def afeed(self, chunk: str, /) -> str:
        """`feed`, for checks that wait."""

    async def afinish(self) -> str:
        """`finish`, for checks that wait."""


class Restoring(Protocol):
    """Undoes the pseudonyms in a text that comes in pieces."""

    def feed(self, chunk: str, /) -> str:
        """What is settled."""

    def finish(self) -> str:
        """What was held back; after it another text may come."""


class Guarding(Protocol):
    """A guard, seen from the callable around which it is put.

    More is used where a guard has it: `needs_session`, true where a text without a session makes
    no sense; `digest`, which says that another policy has come and judges a history again;
    `clear(text, surface) -> bool`, true when the text passes whatever the context and there is
    nothing to record; `unread(on) -> Verdict` for parts that cannot be read;
    `await_hold(hold) -> Verdict` and `aawait_hold(hold) -> Verdict`, which wait for an approval.
    """

    @property
    def system_prompt(self) -> str:
        """The compiled context layer; empty where the policy has none."""

    def system_prompt_for(self, session: str, /, *, tenant: str = "") -> str:
        """The same with the canary of the session."""

    def principle(self, name: str, /) -> str:
        """The text of a principle."""

    def restore(self, text: str, /, *, session: str, tenant: str = "") -> str:
        """The text with the pseudonyms of the session undone."""

    def restorer(self, session: str, /, *, tenant: str = "") -> Restoring:
        """Undoes those pseudonyms of the session that it has by now."""

    def check(
        self,
        text: str,
        /,
        *,
        on: Surface,
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
        tool: str | None = None,
        sources: Sources | None = None,
        same_turn: bool = False,
        again: bool = False,
    ) -> Verdict:
        """The verdict on one text; an `input` begins a turn unless it is of the `same_turn`.

        A text that comes `again`, in another form, is judged and not counted in the session.
        """

    async def acheck(
        self,
        text: str,
        /,
        *,
        on: Surface,
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
        tool: str | None = None,
        sources: Sources | None = None,
        same_turn: bool = False,
        again: bool = False,
    ) -> Verdict:
        """`check`, for checks that wait."""

    def check_tool_call(
        self,
        name: str,
        arguments: Mapping[str, object] | str,
        /,
        *,
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """The verdict on a call; arguments that are no JSON object come as they were written.

        With a session its pseudonyms are undone in the verdict's arguments.
        """

    async def acheck_tool_call(
        self,
        name: str,
        arguments: Mapping[str, object] | str,
        /,
        *,
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """`check_tool_call`, for checks that wait."""

    def check_tool_result(
        self,
        name: str,
        text: str,
        /,
        *,
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """The verdict on what a tool gave back."""

    async def acheck_tool_result(
        self,
        name: str,
        text: str,
        /,
        *,
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """`check_tool_result`, for checks that wait."""

    def stream(
        self,
        *,
        on: Surface = "output",
        context: Context | None = None,
        session: str | None = None,
        tenant: str = "",
        sources: Sources | None = None,
        says: bool = True,
        again: bool = False,
        restores: bool = True,
    ) -> Streaming:
        """A fresh stream.

        With a session, its pseudonyms are undone in what the stream gives, where it `restores`.
        `says` is whether the message of a block comes out too; `again` is as for `check`.
        """
