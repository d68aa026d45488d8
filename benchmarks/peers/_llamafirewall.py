"""llamafirewall: a registered scanner of all patterns. It runs in its own environment."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from _worker import TRIVIAL, StoppedError, serve
from llamafirewall import (
    AssistantMessage,
    LlamaFirewall,
    Role,
    ScanDecision,
    ScanResult,
    UserMessage,
    register_llamafirewall_scanner,
)
from llamafirewall.llamafirewall_data_types import Message, ScanStatus, Trace
from llamafirewall.scanners.base_scanner import Scanner


def _firewall(name: str, patterns: Sequence[str]) -> LlamaFirewall:
    """With a scanner of its own: the built-in one takes no patterns.

    A scanner is made anew for every message, so the patterns are compiled outside of it.
    """
    searches = [re.compile(pattern).search for pattern in patterns]

    @register_llamafirewall_scanner(name)
    class Patterns(Scanner):
        def __init__(self) -> None:
            super().__init__(name, 1.0)

        async def scan(self, message: Message, past_trace: Trace | None = None) -> ScanResult:
            text = message.content
            for search in searches:
                if search(text):
                    return ScanResult(
                        decision=ScanDecision.BLOCK,
                        reason="a pattern",
                        score=1.0,
                        status=ScanStatus.SUCCESS,
                    )
            return ScanResult(
                decision=ScanDecision.ALLOW, reason="none", score=0.0, status=ScanStatus.SUCCESS
            )

    return LlamaFirewall({Role.USER: [name], Role.ASSISTANT: [name]})


def scan(patterns: Sequence[str]) -> Callable[[str], Awaitable[bool]]:
    scans = _firewall("patterns", patterns).scan_async

    async def ask(text: str) -> bool:
        return (await scans(UserMessage(content=text))).decision == ScanDecision.BLOCK

    return ask


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    scans = _firewall("trivial", [TRIVIAL]).scan_async

    async def call(prompt: str) -> str:
        if (await scans(UserMessage(content=prompt))).decision == ScanDecision.BLOCK:
            raise StoppedError
        answer = await function(prompt)
        if (await scans(AssistantMessage(content=answer))).decision == ScanDecision.BLOCK:
            raise StoppedError
        return answer

    return call


if __name__ == "__main__":
    serve(
        ("llamafirewall", "torch"),
        scan={"`scan_async`, a registered scanner of all `re` patterns, first match": scan},
        wrap={"`scan_async` before and after the call": wrap},
    )
