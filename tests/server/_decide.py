"""The handlers of the decision API around a real policy, asked without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import guardkit
from guardkit.server._checks import CheckApi
from guardkit.server._exchange import decision
from guardkit.server._http import Handler, Reply, Request
from guardkit.server._policies import Loaded, Policies
from guardkit.server._settings import Settings
from guardkit.server._tally import End
from guardkit.server._tenant import OPEN, Tenant
from guardkit.shared import MemorySessions
from guardkit.wire import Fault

CHECK = "/v1/guardrails/check"
BATCH = "/v1/guardrails/check/batch"
LITELLM = "/beta/litellm_basic_guardrail_api"

POLICY = """\
guardkit 1
policy decided
  title   "What the tests of the decision API say"
  owner   "tests@example.com"
  version "1"

check forbidden = pattern { match /FORBIDDEN/ }
check odd       = pattern { match /odd word/ }
check order     = pattern { match /NB-\\d{4}/  label "order" }

rule stop {
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when forbidden
  then block "Stopped by a rule."
}
rule mask {
  tier safety
  on   input, retrieved, tool_result, tool_call, output
  when order
  then rewrite matches as "[{label}]"
}
rule noted { tier safety on input, output when odd then flag }
"""
STOPPED = "Stopped by a rule."


@dataclass
class Deciding:
    """A decision API, and what it told."""

    handlers: dict[str, Handler]
    api: CheckApi
    settings: Settings
    policies: Policies
    told: list[dict[str, Any]]
    numbers: list[str | None]
    """The decision that every record of the audit log would be filed under."""
    verdicts: list[Any] = field(default_factory=list)
    """Every verdict that the audit log was told of."""

    async def aask(
        self,
        path: str,
        body: Mapping[str, Any] | bytes,
        *,
        tenant: Tenant = OPEN,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """The status, the body and the headers of a reply; a fault is one too."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def read() -> bytes:
            return sent

        said = {"content-type": "application/json"} if headers is None else headers
        request = Request("POST", path, {}, said, "127.0.0.1", "decision-1", read, tenant)
        try:
            reply = await self.handlers[path](request)
        except Fault as fault:
            return fault.status, {"code": fault.code, "message": fault.message}, {}
        assert isinstance(reply, Reply)
        return reply.status, json.loads(reply.body), dict(reply.headers)

    def ask(self, path: str, body: Mapping[str, Any] | bytes, **keys: Any) -> Any:
        """The same, for a test that asks once."""
        return asyncio.run(self.aask(path, body, **keys))

    def check(self, **body: Any) -> Any:
        """What `/v1/guardrails/check` says, which has to be an answer."""
        status, said, _ = self.ask(CHECK, body)
        assert status == 200, said
        return said


class _Log:
    """An audit log that keeps nothing but what it was told."""

    def __init__(self, numbers: list[str | None], verdicts: list[Any]) -> None:
        self._numbers, self._verdicts = numbers, verdicts

    def record(self, verdict: Any, *, session: str | None = None, tenant: str = "") -> int:
        self._numbers.append(decision())
        self._verdicts.append((verdict, session, tenant))
        return len(self._numbers)

    async def arecord(self, verdict: Any, *, session: str | None = None, tenant: str = "") -> int:
        return self.record(verdict, session=session, tenant=tenant)

    def exchange(self, ledger: Any, *, session: str | None = None, tenant: str = "") -> int:
        raise AssertionError("the decision API has no exchanges")

    async def aexchange(self, ledger: Any, *, session: str | None = None, tenant: str = "") -> int:
        raise AssertionError("the decision API has no exchanges")


def deciding(folder: Path, policy: str = POLICY, **settings: Any) -> Deciding:
    """A decision API for a policy.

    Args:
        folder: Where its file may lie.
        policy: Its text.
        settings: More of what the operator chose.
    """
    path = folder / "decided.guard"
    path.write_text(policy, encoding="utf-8")
    numbers: list[str | None] = []
    verdicts: list[Any] = []
    told: list[dict[str, Any]] = []

    def load(path: Path) -> Loaded:
        return Loaded(guardkit.load(path, audit=_Log(numbers, verdicts)), None)

    def tell(request: Request, route: str, end: End) -> None:
        tally = {name: getattr(end.tally, name) for name in ("policy", "action", "surface")}
        rules = {"rules": tuple(end.tally.rules), "unknown": tuple(end.tally.unknown)}
        ledger = [record._asdict() for record in end.tally.records]
        facts = {**end._asdict(), **tally, **rules, "ledger": ledger}
        told.append({"route": route, "decision": request.decision, **facts})

    chosen = Settings(policy=str(path), **settings)
    policies = Policies(chosen, load, {}, MemorySessions())
    policies.open({})
    api = CheckApi(policies, chosen, tell)
    handlers = {path: handler for path, _, handler in api.routes()}
    return Deciding(handlers, api, chosen, policies, told, numbers, verdicts)
