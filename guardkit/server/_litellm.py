"""LiteLLM's generic guardrail API: its gateway asks before and after a model, and we answer."""

from __future__ import annotations

from guardkit.errors import AuditError, CheckError, UsageError
from guardkit.judging import NOT_JUDGED, UNREADABLE, Answer, Asked, Replies
from guardkit.wire import JSON, write_json

from ._http import Reply, Request
from ._policies import Policies
from ._settings import Settings
from ._tally import Tally
from ._told import Tell, judged_headers, read_body, told


class LiteLlm:
    """Answers at `/beta/litellm_basic_guardrail_api`.

    Args:
        policies: The policies in force.
        settings: What the operator chose.
        tell: Told of every request at its end.
    """

    def __init__(self, policies: Policies, settings: Settings, tell: Tell) -> None:
        self._policies = policies
        self._settings = settings
        self._tell = tell
        self._replies = Replies()

    async def __call__(self, request: Request) -> Reply:
        """Judge what the gateway asks about."""
        return await told(request, "litellm", self._tell, self._served)

    async def _served(self, request: Request, tally: Tally) -> Reply:
        asked = Asked.of(await read_body(request), strict=self._settings.strict)
        live = self._policies.of(request.tenant)
        tally.policy = live.guard.digest
        whose = asked.whose(live.guard, request.tenant.name)
        try:
            async with self._policies.turn(live, whose.session, whose.tenant):
                answer = await self._replies.answer(asked, live.guard, whose, tally, live.known)
        # An error might be let through by a gateway that is told to go on after errors.
        except UsageError:
            answer = Answer("BLOCKED", UNREADABLE)
        except (AuditError, CheckError):
            answer = Answer("BLOCKED", NOT_JUDGED)
        tally.ended(is_stopped=answer.action == "BLOCKED")
        return Reply(200, write_json(answer.as_dict()), JSON, judged_headers(tally))
