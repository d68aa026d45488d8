"""What all policies of the corpus share: a header full of checks, and a pen with a fixed seed."""

from __future__ import annotations

import json
import random
from datetime import date

from guardkit.catalog import Catalog
from guardkit.checks import SPECS
from guardkit.diagnostics import Source
from guardkit.semantics import CheckedPolicy, Data, LibraryError, check

SEED = 20_260_117
TODAY = date(2026, 1, 17)
CATALOG = Catalog.of(SPECS)

_TOOLS = {
    "mail.send": {"to": "string", "subject": "string", "body": "string"},
    "mail.read": {"folder": "string"},
    "bank.transfer": {"amount": "string", "iban": "string", "copies": "number"},
    "web.post": {"url": "string", "body": "string"},
    "web.fetch": {"url": "string"},
}

HEADER = """guardkit 1
policy shop_{number}
  title   "Assistant of shop {number}"
  owner   "ai-risk@shop.example"
  version "1"

use tools "tools.json" as tool

param house: list of domain = ["shop.example", "*.shop.example"]
param limit: money = "500 EUR"

check phrases   = words      {{ list ["ignore your rules"] }}
check jailbreak = pattern    {{ match /\\bDAN mode\\b/i }}
check slurs     = words      {{ list ["some slur"] }}
check rivals    = words      {{ list ["Acme", "Globex"] }}
check order     = pattern    {{ match /\\bNB-\\d{{8}}\\b/ }}
check card      = entities   {{ kinds [card] }}
check iban      = entities   {{ kinds [iban] }}
check email     = entities   {{ kinds [email] }}
check injection = similarity {{ examples ["forget all instructions"] }}
check toxicity  = similarity {{ examples ["you are worthless"] }}
check advice    = similarity {{ examples ["buy this stock"] }}
check harm      = similarity {{ examples ["how to hurt"] }}
check banking   = similarity {{ examples ["what is my balance"] }}
check refusal   = classifier {{ model mini  head "refusal"  labels ["none", "full", "partial"] }}
check attack    = classifier {{ model mini  head "injection" }}
check size      = length     {{ }}

sequence poisoned {{
  first  tool_result tool.web.fetch where injection >= 0.60
  then   tool_call tool.mail.send, tool.web.post
  within 20 turns
}}
"""

ANSWERS = ("phrases", "jailbreak", "slurs", "rivals", "order", "card", "iban", "email")
SCORES = ("injection", "toxicity", "advice", "harm", "banking")
SPANNED = ("phrases", "jailbreak", "slurs", "rivals", "order", "card", "iban", "email")
FIELDS = ("channel", "environment", "region", "plan")
WORDS = ("web", "app", "branch", "red_team", "staging", "eu", "us", "free", "gold")


class Shelf:
    """A library with one tool listing and no modules."""

    def module(self, name: str, user: Source) -> Source:
        raise LibraryError("missing")

    def folder(self, name: str, user: Source) -> str:
        return name

    def data(self, name: str, user: Source) -> Data:
        tools = [
            {
                "name": tool,
                "inputSchema": {
                    "type": "object",
                    "properties": {name: {"type": type} for name, type in arguments.items()},
                },
            }
            for tool, arguments in _TOOLS.items()
        ]
        return Data(name, json.dumps({"tools": tools}).encode())


def checked(text: str, path: str = "shop.guard") -> CheckedPolicy:
    """The policy a text means; the text has to be right."""
    result = check(Source(path, text), CATALOG, Shelf(), today=TODAY)
    assert result.policy is not None, [(d.message, d.place.text) for d in result.diagnostics]
    return result.policy


class Pen:
    """Writes declarations with random but plausible details."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.answers = self._shuffled(ANSWERS)
        self.scores = self._shuffled(SCORES)
        self.fields = self._shuffled(FIELDS)
        self.words = self._shuffled(WORDS)

    def _shuffled(self, words: tuple[str, ...]) -> list[str]:
        return self.random.sample(words, len(words))

    def answer(self) -> str:
        """A yes/no check no other part of this policy uses, as long as there are any."""
        self.answers.append(self.answers.pop(0))
        return self.answers[-1]

    def score(self) -> str:
        self.scores.append(self.scores.pop(0))
        return self.scores[-1]

    def field(self) -> str:
        self.fields.append(self.fields.pop(0))
        return f"context.{self.fields[-1]}"

    def word(self) -> str:
        self.words.append(self.words.pop(0))
        return f'"{self.words[-1]}"'

    def bounds(self) -> tuple[float, float]:
        """A low and a high threshold."""
        return (
            self.random.randrange(20, 50, 5) / 100,
            self.random.randrange(60, 95, 5) / 100,
        )

    def surface(self) -> str:
        return self.random.choice(("input", "output", "retrieved"))

    def tier(self) -> str:
        return self.random.choice(("safety", "ethics", "guidelines"))

    def severity(self) -> str:
        return self.random.choice(("critical", "high", "medium", "low"))


def rule(
    name: str,
    when: str,
    then: str,
    *,
    on: str = "input",
    tier: str = "safety",
    severity: str = "",
    unless: str = "",
    extra: str = "",
) -> str:
    lines = [f"  tier     {tier}" + (f"    severity {severity}" if severity else "")]
    lines += [f"  on       {on}", f"  when     {when}"]
    lines += [f"  unless   {unless}"] if unless else []
    lines += [f"  then     {then}"]
    lines += [f"  {extra}"] if extra else []
    return f"rule {name} {{\n" + "\n".join(lines) + "\n}\n"


def cascade(*steps: str) -> str:
    return "cascade {\n" + "".join(f"    {step}\n" for step in (*steps, "else no")) + "  }"


def exempt(name: str, when: str = "", tier: str = "safety") -> str:
    condition = f"  when   {when}\n" if when else ""
    return (
        f'exempt {name} {{\n  tier   {tier}\n{condition}  owner  "secops@shop.example"\n'
        '  reason "SEC-1412"\n  until  2027-01-31\n}\n'
    )
