"""invariant-ai: a policy of `find` rules. It runs in its own environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from _worker import TRIVIAL, StoppedError, serve
from invariant.analyzer import LocalPolicy


def _quoted(pattern: str) -> str:
    """A pattern as the language writes texts: nothing is escaped in them."""
    return '"' + pattern.replace('\\"', '"').replace('"', "\\x22") + '"'


def _each(patterns: Sequence[str]) -> str:
    return "\n".join(
        f'raise "p{i}" if:\n    (msg: Message)\n    len(find({_quoted(p)}, msg.content)) > 0\n'
        for i, p in enumerate(patterns)
    )


def _any(patterns: Sequence[str]) -> str:
    return (
        'raise "found" if:\n    (msg: Message)\n'
        f"    any([find(p, msg.content) for p in [{', '.join(map(_quoted, patterns))}]])\n"
    )


def _branches(patterns: Sequence[str]) -> str:
    parts = [
        f"(?i:{p.removeprefix('(?i)')})" if p.startswith("(?i)") else f"(?:{p})" for p in patterns
    ]
    return _each(["|".join(parts)])


def _finds(source: str) -> Callable[[str, str], Awaitable[bool]]:
    analyze = LocalPolicy.from_string(source).a_analyze

    async def finds(role: str, text: str) -> bool:
        return bool((await analyze([{"role": role, "content": text}])).errors)

    return finds


def _scan(written: Callable[[Sequence[str]], str]) -> Callable[[Sequence[str]], object]:
    def made(patterns: Sequence[str]) -> Callable[[str], Awaitable[bool]]:
        finds = _finds(written(patterns))

        async def ask(text: str) -> bool:
            return await finds("user", text)

        return ask

    return made


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    finds = _finds(_each([TRIVIAL]))

    async def call(prompt: str) -> str:
        if await finds("user", prompt):
            raise StoppedError
        answer = await function(prompt)
        if await finds("assistant", answer):
            raise StoppedError
        return answer

    return call


if __name__ == "__main__":
    serve(
        ("invariant-ai",),
        scan={
            "`LocalPolicy.a_analyze`, 100 rules with `find`": _scan(_each),
            "one rule, `any` of 100 `find`": _scan(_any),
            "one rule, `find` of all patterns as branches of one": _scan(_branches),
        },
        wrap={"`LocalPolicy.a_analyze` before and after the call": wrap},
    )
