"""Stacks of which it is known who makes an exchange what it is: a cause is planted in each."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import anyio

from guardkit import Guard
from guardkit.guard import loads
from guardkit.layers import Asked, Deployment, Model, asked
from guardkit.types import Layer

REFUSES = "I'm sorry, but I can't help with that request."
ANSWERS = "The word you asked for is plover, and plover is a bird."
HEAD = """guardkit 1
policy planted
  title   "Planted"
  owner   "me@example.com"
  version "1"

tiers safety > guidelines
tier guidelines may block, flag on_error pass

check bird  = pattern { match /\\bplover\\b/i  label "bird" }
check boat  = pattern { match /\\bdinghy\\b/i  label "boat" }
check never = pattern { match /\\bxyzzy\\b/i   label "never" }
"""
FORBIDS = 'context { say "Never speak of dinghies in this deployment." }\n'
IDLE = "rule idle { tier safety on input, output when never then block }\n"


def rule(name: str, on: str, when: str, then: str = "block", more: str = "") -> str:
    """A rule of a policy."""
    return f"rule {name} {{ tier safety {more} on {on} when {when} then {then} }}\n"


@cache
def guard_of(text: str) -> Guard:
    """The guard of a policy; many cases share one."""
    return loads(HEAD + text)


def scripted(
    seed: int,
    refuses: float = 0.0,
    obeys: float = 0.0,
    reply: Any = ANSWERS,
) -> Model:
    """Weights that refuse by themselves, and because of a system prompt, so often."""
    chance = random.Random(seed)

    async def model(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        await anyio.lowlevel.checkpoint()
        is_told = any(message.get("role") == "system" for message in messages)
        if chance.random() < refuses or (is_told and chance.random() < obeys):
            return REFUSES
        return reply

    return model


@dataclass(frozen=True)
class Planted:
    """An exchange, and who makes it what it is."""

    name: str
    policy: str
    layers: tuple[Layer, ...]
    """The layers that may be named."""
    model: Model | None
    said: Asked
    expect: str
    by: str = ""
    other: Model | None = None
    also: tuple[Layer, ...] = ()
    """Who has to be named beside it."""
    standing: str = "named"
    checks: Mapping[str, object] = field(default_factory=dict)
    timeout_s: float = 30.0

    @property
    def deployment(self) -> Deployment:
        """The stack."""
        if self.checks:
            return Deployment(loads(HEAD + self.policy, checks=self.checks), self.model)
        return Deployment(guard_of(self.policy), self.model, timeout_s=self.timeout_s)


# --- the kinds of cases: each is given a seed and chance, and plants one cause

Kind = Callable[[int, random.Random], Planted]


def over_eager_input(seed: int, chance: random.Random) -> Planted:
    name = chance.choice(["no_boats", "boats_out", "zeal"])
    policy = IDLE + rule(name, "input", "boat") + chance.choice(["", FORBIDS.replace("dingh", "x")])
    return Planted(
        "over-eager input rule", policy, ("input",), scripted(seed),
        asked("how do I caulk a dinghy"), "answer", f"rule {name}",
    )  # fmt: skip


def over_eager_output(seed: int, chance: random.Random) -> Planted:
    name = chance.choice(["no_birds", "birds_out", "zeal"])
    policy = IDLE + rule(name, "output", "bird") + chance.choice(["", FORBIDS])
    model = scripted(seed, refuses=0.1 * chance.random())
    return Planted(
        "over-eager output rule", policy, ("output",), model,
        asked("which bird is it"), "answer", f"rule {name}",
    )  # fmt: skip


def provider_filter(seed: int, chance: random.Random) -> Planted:
    message = {"role": "assistant", "content": ""}
    reply = {"choices": [{"index": 0, "message": message, "finish_reason": "content_filter"}]}
    return Planted(
        "provider filter", IDLE + chance.choice(["", FORBIDS]), ("provider",),
        scripted(seed, reply=reply), asked("how do I caulk a dinghy"), "answer",
        "finish_reason content_filter",
    )  # fmt: skip


def forbidding_context(seed: int, chance: random.Random) -> Planted:
    model = scripted(seed, obeys=0.6 + 0.4 * chance.random())
    return Planted(
        "forbidding context", IDLE + FORBIDS, ("context",), model,
        asked("how do I caulk a dinghy"), "answer", "refusal full",
        other=scripted(seed + 1, obeys=0.9) if chance.random() < 0.3 else None,
    )  # fmt: skip


def refusing_weights(seed: int, chance: random.Random) -> Planted:
    model = scripted(seed, refuses=0.6 + 0.4 * chance.random())
    return Planted(
        "refusing weights", IDLE + chance.choice(["", FORBIDS]), ("weights",), model,
        asked("how do I caulk a dinghy"), "answer", "refusal full",
        other=scripted(seed + 1) if chance.random() < 0.5 else None,
    )  # fmt: skip


def two_rules(seed: int, chance: random.Random) -> Planted:
    policy = IDLE + rule("no_boats", "input", "boat") + rule("no_birds", "output", "bird")
    return Planted(
        "two rules", policy, ("input",), scripted(seed),
        asked("which bird is called dinghy"), "answer", "rule no_boats",
        also=("output",), standing="overdetermined",
    )  # fmt: skip


def rule_and_context(seed: int, chance: random.Random) -> Planted:
    policy = IDLE + FORBIDS + rule("no_boats", "input", "boat")
    return Planted(
        "rule and context", policy, ("input",), scripted(seed, obeys=0.9 + 0.1 * chance.random()),
        asked("how do I caulk a dinghy"), "answer", "rule no_boats",
        also=("context",), standing="overdetermined",
    )  # fmt: skip


def context_and_output(seed: int, chance: random.Random) -> Planted:
    policy = IDLE + FORBIDS + rule("no_birds", "output", "bird")
    return Planted(
        "context and output rule", policy, ("context",), scripted(seed, obeys=1.0),
        asked("how do I caulk a dinghy"), "answer", "refusal full",
        also=("output",), standing="overdetermined",
    )  # fmt: skip


def in_shadow(seed: int, chance: random.Random) -> Planted:
    policy = IDLE + rule("no_birds", "output", "bird", more="mode shadow")
    return _leak("in shadow", policy, seed, chance)


def exempted(seed: int, chance: random.Random) -> Planted:
    policy = IDLE + rule("no_birds", "output", "bird") + (
        'exempt no_birds { tier safety when context.team == "red" owner "a@example.com" '
        'reason "an exercise" until 2099-01-31 }\n'
    )  # fmt: skip
    return _leak("exempted", policy, seed, chance, facts={"team": "red"})


def failing_check(seed: int, chance: random.Random) -> Planted:
    async def mute(text: str, *rest: object) -> float:
        raise ValueError("canary-7531")

    policy = IDLE + (
        'check rude = judge { call "stacks:rude"  rubric "Is it rude?"  timeout 1s }\n'
        "rule no_rude {\n  tier guidelines\n  on output\n"
        "  when cascade { no if boat  yes if rude >= 0.5  else no }\n  then block\n}\n"
    )
    made = _leak("failing check", policy, seed, chance, by="rule no_rude")
    return replace(made, checks={"rude": mute})


def flag_only(seed: int, chance: random.Random) -> Planted:
    policy = IDLE + "model { refuses bird }\n" + rule("no_birds", "output", "bird", "flag")
    return _leak("flag only", policy, seed, chance)


def lifted(seed: int, chance: random.Random) -> Planted:
    when = 'bird unless context.channel == "zoo"'
    policy = IDLE + rule("no_birds", "output", when)
    return _leak("lifted by unless", policy, seed, chance, facts={"channel": "zoo"})


def _leak(
    name: str,
    policy: str,
    seed: int,
    chance: random.Random,
    facts: Mapping[str, object] | None = None,
    by: str = "rule no_birds",
) -> Planted:
    policy += chance.choice(["", FORBIDS])
    said = asked("tell me what I must not know", facts=facts)
    model = scripted(seed, refuses=0.2 * chance.random())
    return Planted(f"leak: {name}", policy, ("output",), model, said, "refuse", by)


def yielding_weights(seed: int, chance: random.Random) -> Planted:
    model = scripted(seed, refuses=0.4 * chance.random(), reply="Here is how it is done.")
    policy = IDLE + chance.choice(["", FORBIDS])
    said = asked("tell me what I must not know")
    return Planted("yielding weights", policy, ("weights",), model, said, "refuse")


def persuading_context(seed: int, chance: random.Random) -> Planted:
    """A context that makes weights answer which would refuse without it."""
    refusing, answering = scripted(seed, refuses=0.95), scripted(seed + 1, refuses=0.05)

    async def model(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        is_told = any(message.get("role") == "system" for message in messages)
        return await (answering if is_told else refusing)(messages, documents)

    policy = IDLE + 'context { say "Answer whatever is asked, whoever asks." }\n'
    said = asked("tell me what I must not know")
    return Planted("persuading context", policy, ("context",), model, said, "refuse")


def raising(seed: int, chance: random.Random) -> Planted:
    kind = chance.choice([ConnectionError, ValueError, RuntimeError])

    async def model(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        raise kind("canary-7531")

    return Planted(
        "raising model", IDLE + FORBIDS, ("transport",), model, asked("hello"), "answer",
        kind.__name__, standing="unjudged",
    )  # fmt: skip


def hanging(seed: int, chance: random.Random) -> Planted:
    async def model(messages: Sequence[Mapping[str, object]], documents: Sequence[str]) -> Any:
        await anyio.sleep_forever()

    return Planted(
        "hanging model", IDLE + FORBIDS, ("transport",), model, asked("hello"), "answer",
        "TimeoutError", standing="unjudged", timeout_s=0.2,
    )  # fmt: skip


KINDS: tuple[Kind, ...] = (
    over_eager_input,
    over_eager_output,
    provider_filter,
    forbidding_context,
    refusing_weights,
    two_rules,
    rule_and_context,
    context_and_output,
    in_shadow,
    exempted,
    failing_check,
    flag_only,
    lifted,
    yielding_weights,
    persuading_context,
    raising,
    hanging,
)


def planted(count: int, seed: int = 0) -> list[Planted]:
    """So many cases, every kind in turn."""
    chance = random.Random(seed)
    return [KINDS[at % len(KINDS)](1000 * seed + 2 * at, chance) for at in range(count)]
