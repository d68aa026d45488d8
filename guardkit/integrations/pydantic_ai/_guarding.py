"""One policy, whichever models it stands around: what is asked of it, and what a block becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guardkit.types import Verdict

from .._around import Around, Call, Said
from ._asked import Asked
from ._package import blocked_by, part_of

Session = str | Callable[[Any], str | None] | None
Context = Mapping[str, object] | Callable[[Any], Mapping[str, object] | None] | None


class Guarding:
    """One policy, for every model that it stands around."""

    def __init__(self, around: Around, replies: bool, session: Session, context: Context) -> None:
        self.around, self.replies = around, replies
        self.session, self.context = session, context

    async def ask(self, asked: Asked, send: Callable[[Said], Any]) -> Any:
        """One exchange."""
        session = asked.conversation
        if self.session is not None:
            session = keyed(self.session, asked.messages)
        call = Call(send, session, keyed(self.context, asked.messages))
        return await self.around.aask(
            call, asked.plain, tools=asked.definitions, other=[asked.other]
        )

    def refused(self, verdict: Verdict, response: Any = None) -> Any:
        """A response that says the rule's message and nothing else.

        Raises:
            ContentFilterError: That is what the caller wants.
        """
        if not self.replies:
            raise blocked_by(verdict)
        return refusal(verdict.text, response)


def keyed(given: Any, of: Any) -> Any:
    """A session or a context, as it is or of a request."""
    return given(of) if callable(given) else given


def refusal(text: str, response: Any = None) -> Any:
    """A response that says a message; with what the model's own counted, where there is one."""
    messages = part_of("messages")
    parts = [messages.TextPart(text)]
    if response is None:
        return messages.ModelResponse(parts, finish_reason="content_filter")
    return messages.ModelResponse(
        parts,
        usage=response.usage,
        model_name=response.model_name,
        timestamp=response.timestamp,
        provider_name=response.provider_name,
        provider_url=response.provider_url,
        finish_reason="content_filter",
    )
