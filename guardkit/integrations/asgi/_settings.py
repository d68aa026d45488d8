"""What whoever puts the middleware in chose, and the guards made of it: once for all requests."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, Literal, Protocol
from urllib.parse import parse_qsl

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict
from guardkit.wire import Fault
from guardkit.wrap import Judgements

from .._http import SESSION, Chosen, HttpGuard
from .._third_party import third_party
from ._bodies import header
from ._line import Scope

Facts = Mapping[str, object]
PLAIN: Final = "http"
"""The dialect, for rules, of what is in none."""
MOST_FIELDS: Final = 1_000
_SESSION = re.compile(r"[\x21-\x7e]{1,200}\Z")
_SLASHES = re.compile(r"/+")


class About(Protocol):
    """What the guards ask of the exchange that the task is about."""

    session: str | None
    facts: Facts

    def saw(self, verdict: Verdict) -> None:
        """A verdict that is more than a pass."""


class Answers(Protocol):
    """Who asks the app."""

    async def answered(self, texts: list[Any], other_text: list[Any]) -> Any:
        """What the app says to what was judged, for the guard to judge."""


now: ContextVar[About] = ContextVar("now")
"""Each exchange is judged in a task of its own, and so in a context of its own."""


class Settings:
    """See `Middleware`, whose arguments these are."""

    def __init__(
        self,
        policy: str | Guard | None,
        paths: Sequence[str],
        on_block: Literal["raise", "reply"],
        on_hold: Literal["block", "wait"],
        session: str | Callable[[Mapping[str, Any]], str | None] | None,
        context: Facts | Callable[[Mapping[str, Any]], Facts] | None,
        watch: Callable[[Verdict], object] | None,
        ledger: Callable[[Ledger], object] | None,
        most_body: int,
    ) -> None:
        if isinstance(paths, str) or not paths or any(not each.startswith("/") for each in paths):
            raise UsageError('`paths` names what asks a model: a list such as ["/chat"]')
        third_party("orjson", "asgi")  # it writes every body; better missed here than there
        if on_block not in ("raise", "reply"):
            raise UsageError('`on_block` is "raise" or "reply"')
        # The longest first, so that what is left of a path is least.
        self._paths = sorted((each.rstrip("/") for each in paths), key=len, reverse=True)
        self.raises = on_block == "raise"
        self.waits = on_hold == "wait"
        self.most_body = most_body
        self._session, self._context, self._watch = session, context, watch
        chosen: Chosen = {
            "on_block": on_block,
            "on_hold": on_hold,
            "session": lambda body: now.get().session,
            "context": lambda body: now.get().facts,
            "watch": self.saw,
            "ledger": ledger,
        }
        self.http = HttpGuard(policy, chosen)
        self.guard = self.http.guard
        self.call = self.guard(
            _ask,
            text=("texts",),
            on_block="raise",
            on_hold=on_hold,
            session=lambda call: now.get().session,
            context=lambda call: {**now.get().facts, "dialect": PLAIN},
            inject=False,
            within=0.0,  # an app is no model: it cannot be asked for another reply
            watch=self.saw,
            ledger=ledger,
            known=Judgements(),
        )

    def saw(self, verdict: Verdict) -> None:
        """A verdict that is more than a pass."""
        now.get().saw(verdict)
        if self._watch is not None:
            self._watch(verdict)

    def below(self, scope: Scope) -> str | None:
        """What a path is below one of those that are judged; None where it is below none.

        A path is looked at as it came, as its app sees it, and without what some routers leave out.
        """
        path, root = scope["path"], scope.get("root_path", "")
        seen = [path, path.removeprefix(root)] if root else [path]
        for each in (*seen, *(posixpath.normpath(_SLASHES.sub("/", way)) for way in seen)):
            for prefix in self._paths:
                if each == prefix or each.startswith(f"{prefix}/"):
                    return str(each[len(prefix) :]).strip("/")
        return None

    def session_of(self, scope: Scope) -> str | None:
        """The session of a request.

        Raises:
            Fault: There is none, and the policy needs one.
        """
        chosen = self._session
        if chosen is not None:
            session = chosen(scope) if callable(chosen) else chosen
        else:
            # Only where nobody chose: a client must not be able to leave its session.
            session = header(list(scope["headers"]), SESSION.encode()) or None
            if session is not None and _SESSION.match(session) is None:
                raise Fault(400, "bad_session", f"`{SESSION}` has to be 1 to 200 visible letters")
        if session is None and self.guard.needs_session:
            raise Fault(400, "session_required", "this policy remembers a conversation: say which")
        return session

    def facts_of(self, scope: Scope) -> Facts:
        """What rules may ask about a request."""
        chosen = self._context
        facts = chosen(scope) if callable(chosen) else chosen
        return facts or {}


async def _ask(texts: list[Any], other_text: list[Any], about: Answers) -> Any:
    return await about.answered(texts, other_text)


def query_of(scope: Scope) -> list[str]:
    """Every name and value of the query.

    Raises:
        Fault: It cannot be read.
    """
    try:
        read = parse_qsl(
            bytes(scope.get("query_string", b"")).decode(),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Fault(400, "unreadable_query", "the query cannot be read") from None
    return [each for pair in read for each in pair]
