"""Policies with one seeded fault each, and clean policies, as text; the seed is fixed.

A faulty policy is a clean one with one more declaration or two, as a hurried author would add
them; `rule` names what the report has to be about. The clean ones are full of near misses:
overlaps, nested thresholds and repeated conditions that are right as they stand.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

_HEADER = """guardkit 1
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


@dataclass(frozen=True)
class Fault:
    """A policy with a fault: the code to be reported, and the name that the report is about."""

    title: str
    text: str
    code: str
    rule: str


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


# --- clean parts: each a group of declarations that is right as it stands

Part = Callable[[Pen, str], str]


def grey_zone(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s = p.score()
    when = cascade(
        f"yes if {p.answer()}",
        f"no  if {s} < {low}",
        f"yes if {s} >= {high}",
        f"yes if {p.score()} >= {high}",
    )
    return rule(f"stop_{n}", when, 'block "I will not do that."', severity="critical")


def ladder(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s, on, tier = p.score(), p.surface(), p.tier()
    return rule(f"note_{n}", f"{s} >= {low}", "flag", on=on, tier=tier) + rule(
        f"halt_{n}", f"{s} >= {high}", 'block "No."', on=on, tier=tier
    )


def own_message(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s, on = p.score(), p.surface()
    return rule(f"wide_{n}", f"{s} >= {low}", 'block "Please rephrase."', on=on) + rule(
        f"grave_{n}", f"{s} >= {high}", 'block "Stop."', on=on, severity="critical"
    )


def by_surface(p: Pen, n: str) -> str:
    a = p.answer()
    return rule(f"mask_{n}", a, 'rewrite matches as "[{label}]"', on="output") + rule(
        f"refuse_{n}", a, 'block "Do not send that."', on="input"
    )


def over_refusal(p: Pen, n: str) -> str:
    high = p.bounds()[1]
    s = p.score()
    when = f'refusal in ["full", "partial"] and {s} >= {high}'
    return rule(f"over_{n}", when, "flag", on="output", tier="helpfulness") + rule(
        f"block_{n}", f"{s} >= {high}", 'block "No."', on="output", tier="ethics"
    )


def quorums(p: Pen, n: str) -> str:
    low, high = p.bounds()
    a, s, t = p.answer(), p.score(), p.score()
    members = f"{a}, {s} >= {low}, {t} >= {high}"
    return rule(f"two_{n}", f"2 of ({members})", "flag", on="output", tier="ethics") + rule(
        f"three_{n}",
        f"{a} and {s} >= {low} and {t} >= {high}",
        'hold for "review" within 15m else block',
        on="output",
        tier="ethics",
    )


def unless_field(p: Pen, n: str) -> str:
    a, f, w = p.answer(), p.field(), p.word()
    return rule(
        f"mask_{n}", a, "rewrite matches as mask keep last 4", on="output", unless=f"{f} == {w}"
    ) + rule(f"seen_{n}", f"{a} and {f} == {w}", "flag", on="output", tier="guidelines")


def egress(p: Pen, n: str) -> str:
    return rule(
        f"hold_{n}",
        "call.to.domain not in house",
        'hold for "secops" within 15m else block',
        on="tool_call tool.mail.send",
    ) + rule(
        f"rival_{n}",
        'call.to.domain in ["acme.example", "*.acme.example"]',
        'block "Never to a rival."',
        on="tool_call tool.mail.send",
        severity="high",
    )


def amounts(p: Pen, n: str) -> str:
    copies = p.random.randrange(2, 9)
    return rule(
        f"dear_{n}",
        "call.amount > limit",
        'hold for "treasury" within 1h else block',
        on="tool_call tool.bank.transfer",
    ) + rule(
        f"many_{n}",
        f"call.copies >= {copies} or call.amount > limit",
        "flag",
        on="tool_call tool.bank.transfer",
        tier="guidelines",
        extra="on_error block",
    )


def probing(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s = p.score()
    return (
        rule(f"seen_{n}", f"{s} >= {high}", "flag", tier="guidelines")
        + rule(f"stop_{n}", f"{s} >= {low}", 'block "No."')
        + f"window count_{n} {{ count seen_{n}, stop_{n} last 10 turns per session }}\n"
        + rule(f"end_{n}", f"count_{n} >= 3", 'block "Closed." for session', on="conversation")
        + rule(f"warn_{n}", f"count_{n} >= 2", "flag", on="conversation")
    )


def watched(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s = p.score()
    return (
        rule(f"spike_{n}", f"{s} >= {high}", "flag", tier="guidelines")
        + rule(f"stop_{n}", f"{s} >= {low}", 'block "No."')
        + f"monitor spikes_{n} {{\n  watch spike_{n}\n  alarm above 5% over 1h\n}}\n"
    )


def in_shadow(p: Pen, n: str) -> str:
    a, s = p.answer(), p.score()
    low, high = p.bounds()
    when = f"{a} or {s} >= {high}"
    return (
        rule(f"now_{n}", when, 'block "No."')
        + rule(f"next_{n}", f"{a} or {s} >= {low}", 'block "No."', extra="mode shadow")
        + rule(f"trial_{n}", when, 'block "No."', extra="mode shadow")
    )


def exempted(p: Pen, n: str) -> str:
    a, f, w = p.answer(), p.field(), p.word()
    return (
        rule(f"stop_{n}", a, 'block "No."')
        + rule(f"seen_{n}", a, "flag", tier="guidelines")
        + exempt(f"stop_{n}", f"{f} == {w}")
    )


def outage(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s, on = p.score(), p.surface()
    return rule(f"sure_{n}", f"{s} >= {high}", "flag", on=on, tier="safety") + rule(
        f"wide_{n}", f"{s} >= {low}", 'block "No."', on=on, tier="guidelines"
    )


def more_spans(p: Pen, n: str) -> str:
    a, b = p.answer(), p.answer()
    return rule(
        f"all_{n}", f"{a} or {b}", 'rewrite matches as "[{label}]"', on="output", tier="ethics"
    ) + rule(f"one_{n}", a, "rewrite matches as hash", on="output", tier="safety")


def session_end(p: Pen, n: str) -> str:
    a, b = p.answer(), p.answer()
    return rule(f"no_{n}", f"{a} or {b}", 'block "No."', severity="critical") + rule(
        f"out_{n}", a, 'block "Closed." for session', severity="high"
    )


def one_tool(p: Pen, n: str) -> str:
    s, high = p.score(), p.bounds()[1]
    return rule(f"any_{n}", f"{s} >= {high}", "flag", on="tool_call", tier="guidelines") + rule(
        f"post_{n}", f"{s} >= {high}", 'block "No."', on="tool_call tool.web.post", tier="ethics"
    )


def flow(p: Pen, n: str) -> str:
    return rule(
        f"flow_{n}",
        "sequence poisoned",
        'block "An untrusted page steered this call."',
        on="tool_call",
        severity="critical",
    ) + rule(
        f"post_{n}",
        "sequence poisoned and size > 4000",
        'block "Too long to be honest." for session',
        on="tool_call tool.web.post",
    )


def reviser(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s, a = p.score(), p.answer()
    return (
        f'principle fair_{n} {{\n  tier guidelines\n  text "Say only what is known."\n}}\n'
        + rule(
            f"fix_{n}",
            f"{s} >= {low}",
            f'revise by fair_{n} at most 2 else block "No."',
            on="output",
            tier="guidelines",
        )
        + rule(
            f"mask_{n}",
            f"{a} and {s} >= {high}",
            'rewrite matches as "[{label}]"',
            on="output",
            tier="guidelines",
        )
    )


def bands(p: Pen, n: str) -> str:
    low, high = p.bounds()
    s, on = p.score(), p.surface()
    return rule(
        f"mid_{n}", f"{s} >= {low} and {s} < {high}", "flag", on=on, tier="guidelines"
    ) + rule(f"top_{n}", f"{s} >= {high}", 'block "No."', on=on, tier="guidelines")


def not_there(p: Pen, n: str) -> str:
    f, w, a = p.field(), p.word(), p.answer()
    return rule(f"out_{n}", f"{a} and {f} != {w}", 'block "Not here."', on="input, output") + rule(
        f"in_{n}", f"{a} and {f} == {w}", "flag", on="input, output", tier="guidelines"
    )


def either(p: Pen, n: str) -> str:
    a, b, f = p.answer(), p.answer(), p.field()
    one, two, three = p.word(), p.word(), p.word()
    return rule(
        f"some_{n}",
        f"({a} and {f} in [{one}, {two}]) or ({b} and {f} in [{two}, {three}])",
        'block "No."',
        on=p.surface(),
        tier="ethics",
    )


def sized(p: Pen, n: str) -> str:
    k = p.random.randrange(2, 6)
    return rule(f"long_{n}", f"size > {k}000", 'block "Too long."', tier="guidelines") + rule(
        f"long_{n}_plan",
        f'size > {k // 2}000 and context.plan == "free"',
        'block "Too long for this plan."',
        tier="guidelines",
    )


def calibrated(p: Pen, n: str) -> str:
    return rule(
        f"rate_{n}", "attack at fpr 0.5%", 'block "No."', on="retrieved", tier="ethics"
    ) + rule(f"rate_{n}_wide", "attack at fpr 2%", "flag", on="retrieved", tier="guidelines")


CLEAN_PARTS: tuple[Part, ...] = (
    grey_zone,
    ladder,
    own_message,
    by_surface,
    over_refusal,
    quorums,
    unless_field,
    egress,
    amounts,
    probing,
    watched,
    in_shadow,
    exempted,
    outage,
    more_spans,
    session_end,
    one_tool,
    flow,
    reviser,
    bands,
    not_there,
    either,
    sized,
    calibrated,
)
_EXCLUSIVE = {"egress", "amounts", "flow", "sized", "calibrated"}


def clean_policies(count: int = 100) -> Iterator[str]:
    """Policies in which nothing is to be found."""
    for number in range(count):
        yield _clean(number, random.Random(SEED + number))


def _clean(number: int, chance: random.Random) -> str:
    size = chance.randrange(1, 5)
    pen = Pen(SEED * 7 + number)
    # Every part in turn, and others beside it that look at other checks.
    parts = [CLEAN_PARTS[number % len(CLEAN_PARTS)]]
    others = [part for part in CLEAN_PARTS if part not in parts]
    parts += chance.sample(others, size - 1)
    text = _HEADER.format(number=number)
    budget_answers, budget_scores = len(ANSWERS), len(SCORES)
    for at, part in enumerate(parts):
        before = (list(pen.answers), list(pen.scores))
        written = part(pen, f"{'abcdefgh'[at]}")
        answers = sum(a != b for a, b in zip(before[0], pen.answers, strict=True)) and 2
        scores = sum(a != b for a, b in zip(before[1], pen.scores, strict=True)) and 2
        budget_answers, budget_scores = budget_answers - answers, budget_scores - scores
        if at and (budget_answers < 0 or budget_scores < 0):
            break  # two parts about one check could be a fault in earnest
        text += "\n" + written
    return text


# --- faults


def faulty_policies() -> Iterator[Fault]:
    """Every kind of fault several times, each inside another clean policy."""
    number = 0
    for code, title, write in FAULTS:
        for _ in range(_TIMES.get(title, 2)):
            number += 1
            pen = Pen(SEED + 1000 + number)
            text, name = write(pen)
            around = grey_zone if "poisoned" in text else one_of_the_plain(number)
            base = _HEADER.format(number=number) + "\n" + around(Pen(SEED + number), "z")
            yield Fault(f"{title} {number}", base + "\n" + text, code, name)


def one_of_the_plain(number: int) -> Part:
    return (flow, egress, amounts)[number % 3]


Written = tuple[str, str]
_TIMES: dict[str, int] = {}


def dead_bounds(p: Pen) -> Written:
    (low, high), s = p.bounds(), p.score()
    return rule("r", f"{s} >= {high} and {s} < {low}", 'block "No."', on=p.surface()), "r"


def dead_cascade(p: Pen) -> Written:
    (low, high), s = p.bounds(), p.score()
    when = cascade(f"no  if {s} >= {low}", f"yes if {s} >= {high}")
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def dead_unless(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    return rule("r", a, 'block "No."', unless=f"{b} or {a}", severity=p.severity()), "r"


def dead_unless_lower(p: Pen) -> Written:
    (low, high), s = p.bounds(), p.score()
    return rule("r", f"{s} >= {high}", 'block "No."', unless=f"{s} >= {low}"), "r"


def dead_field(p: Pen) -> Written:
    f, a = p.field(), p.answer()
    when = f"{a} and {f} == {p.word()} and {f} == {p.word()}"
    return rule("r", when, "flag", on=p.surface(), tier="guidelines"), "r"


def dead_list(p: Pen) -> Written:
    f, a = p.field(), p.answer()
    when = f"{f} in [{p.word()}, {p.word()}] and {f} in [{p.word()}, {p.word()}] and {a}"
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def dead_quorum(p: Pen) -> Written:
    (low, high), s, a = p.bounds(), p.score(), p.answer()
    when = f"3 of ({a}, {s} >= {high}, {s} < {low})"
    return rule("r", when, 'block "No."'), "r"


def dead_quorum_deep(p: Pen) -> Written:
    a, b, s, high = p.answer(), p.answer(), p.score(), p.bounds()[1]
    when = f"3 of ({a}, {b} and not {a}, {s} >= {high})"
    return rule("r", when, 'block "No."', on="output"), "r"


def dead_domain(p: Pen) -> Written:
    when = 'call.to.domain in ["mail.shop.example"] and call.to.domain not in house'
    return rule("r", when, 'block "No."', on="tool_call tool.mail.send"), "r"


def dead_label(p: Pen) -> Written:
    when = f'refusal == "full" and refusal in ["none", "partial"] and {p.answer()}'
    return rule("r", when, "flag", on="output", tier="guidelines"), "r"


def dead_number(p: Pen) -> Written:
    k = p.random.randrange(2, 9)
    when = f"size > {k}000 and size <= {k - 1}500"
    return rule("r", when, 'block "Odd size."', tier="guidelines"), "r"


def dead_money(p: Pen) -> Written:
    when = "call.amount > limit and call.amount == limit"
    return rule("r", when, "flag", on="tool_call tool.bank.transfer", tier="guidelines"), "r"


def dead_window(p: Pen) -> Written:
    text = rule("seen", p.answer(), 'block "No."')
    text += "window tries { count seen last 9 turns per session }\n"
    when = f"tries >= {p.random.randrange(5, 9)} and tries < {p.random.randrange(2, 5)}"
    return text + rule("r", when, 'block "Closed."', on="conversation"), "r"


def dead_context_number(p: Pen) -> Written:
    k = p.random.randrange(13, 21)
    when = f"{p.answer()} and context.age >= {k} and context.age < {k - 1}"
    return rule("r", when, 'block "No."'), "r"


def always_bands(p: Pen) -> Written:
    (low, high), s = p.bounds(), p.score()
    return rule("r", f"{s} >= {low} or {s} < {high}", "flag", tier="guidelines"), "r"


def always_negated(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    return rule("r", f"({a} and {b}) or not {a} or not {b}", "flag", tier="guidelines"), "r"


def always_field(p: Pen) -> Written:
    f = p.field()
    w, x = p.word(), p.word()
    return rule("r", f"{f} != {w} or {f} != {x}", "flag", on="output", tier="guidelines"), "r"


def always_labels(p: Pen) -> Written:
    when = 'refusal in ["none", "full"] or refusal == "partial"'
    return rule("r", when, "flag", on="output", tier="guidelines"), "r"


def sub_threshold(p: Pen) -> Written:
    (low, high), s, on, tier = p.bounds(), p.score(), p.surface(), p.tier()
    text = rule("wide", f"{s} >= {low}", 'block "No."', on=on, tier=tier, severity="high")
    return text + rule("r", f"{s} >= {high}", 'block "Stop."', on=on, tier=tier), "r"


def sub_weaker(p: Pen) -> Written:
    (low, high), s = p.bounds(), p.score()
    text = rule("wide", f"{s} >= {low}", 'block "No."', on="input, output", tier="ethics")
    return text + rule("r", f"{s} >= {high}", "flag", on="output", tier="guidelines"), "r"


def sub_conjunct(p: Pen) -> Written:
    a, b, on = p.answer(), p.answer(), p.surface()
    text = rule("wide", a, 'block "No."', on=on, severity="critical")
    return text + rule("r", f"{a} and {b}", 'block "Not that."', on=on, severity="high"), "r"


def sub_disjunct(p: Pen) -> Written:
    a, b, c, on = p.answer(), p.answer(), p.answer(), p.surface()
    hold = 'hold for "review" within 15m else block'
    text = rule("wide", f"{a} or {b} or {c}", hold, on=on, tier="ethics")
    return text + rule("r", f"{c} or {a}", "flag", on=on, tier="guidelines"), "r"


def sub_quorum(p: Pen) -> Written:
    (low, high), a, s, t = p.bounds(), p.answer(), p.score(), p.score()
    text = rule("wide", f"2 of ({a}, {s} >= {low}, {t} >= {low})", 'block "No."', severity="high")
    when = f"all of ({a}, {s} >= {high}, {t} >= {low})"
    return text + rule("r", when, 'block "All agree."'), "r"


def sub_rewrite(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    text = rule("wide", f"{a} or {b}", 'block "No personal data."', on="output")
    then = 'rewrite matches as "[{label}]"'
    return text + rule("r", f"{a} and {b}", then, on="output", tier="ethics"), "r"


def sub_rewrite_twice(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    text = rule(
        "wide", f"{a} or {b}", 'rewrite matches as "[{label}]"', on="output", severity="high"
    )
    # In the same tier it would count: where its own check fails, it blocks.
    return text + rule("r", a, "rewrite matches as hash", on="output", tier="guidelines"), "r"


def sub_tool(p: Pen) -> Written:
    s, (low, high) = p.score(), p.bounds()
    text = rule("wide", f"{s} >= {low}", 'block "No."', on="tool_call", severity="critical")
    return text + rule("r", f"{s} >= {high}", 'block "No."', on="tool_call tool.mail.send"), "r"


def sub_domain(p: Pen) -> Written:
    on = "tool_call tool.mail.send"
    text = rule("wide", "call.to.domain not in house", 'block "Not outside."', on=on)
    when = 'call.to.domain == "acme.example"'
    return text + rule("r", when, 'hold for "secops" within 15m else block', on=on), "r"


def sub_same(p: Pen) -> Written:
    a, s, high, on = p.answer(), p.score(), p.bounds()[1], p.surface()
    text = rule("one", f"{a} or {s} >= {high}", 'block "No."', on=on)
    return text + rule("r", f"{s} >= {high} or {a}", 'block "No."', on=on), "r"


def sub_same_otherwise(p: Pen) -> Written:
    a, s, high, on = p.answer(), p.score(), p.bounds()[1], p.surface()
    text = rule("one", f"not ({s} < {high} or {a})", 'block "No."', on=on, severity="high")
    return text + rule("r", f"{s} >= {high}", 'block "No!"', on=on, unless=a), "r"


def sub_cascade(p: Pen) -> Written:
    (low, high), a, s = p.bounds(), p.answer(), p.score()
    when = cascade(f"yes if {a}", f"no  if {s} < {low}", f"yes if {s} >= {high}")
    text = rule("wide", when, 'block "No."', severity="high")
    return text + rule("r", f"{a} and {s} >= {high}", 'block "No!"', severity="low"), "r"


def sub_rate(p: Pen) -> Written:
    text = rule("wide", "attack at fpr 2%", 'block "No."', on="retrieved", severity="high")
    return text + rule("r", "attack at fpr 0.5%", 'block "No!"', on="retrieved"), "r"


def sub_window(p: Pen) -> Written:
    text = rule("seen", p.answer(), 'block "No."')
    text += "window tries { count seen last 9 turns per session }\n"
    then = 'block "Closed." for session'
    text += rule("wide", "tries >= 2", then, on="conversation", severity="high")
    return text + rule("r", "tries > 3", then, on="conversation"), "r"


def sub_field(p: Pen) -> Written:
    a, f = p.answer(), p.field()
    one, two = p.word(), p.word()
    text = rule("wide", f"{a} and {f} in [{one}, {two}]", 'block "No."', severity="high")
    return text + rule("r", f"{a} and {f} == {one}", 'block "No!"'), "r"


def con_messages(p: Pen) -> Written:
    a, s, high, on = p.answer(), p.score(), p.bounds()[1], p.surface()
    text = rule("one", f"{a} or {s} >= {high}", 'block "No."', on=on)
    return text + rule("r", f"{s} >= {high} or {a}", 'block "Please call us."', on=on), "r"


def con_bounds(p: Pen) -> Written:
    s, high, on = p.score(), p.bounds()[1], p.surface()
    text = rule("one", f"{s} >= {high}", 'block "No."', on=on, tier="ethics")
    return text + rule(
        "r",
        f"not {{{s}}}".replace("{", "(").replace("}", f" < {high})"),
        'block "Please call us."',
        on=f"{on}, tool_result",
        tier="ethics",
    ), "r"


def con_replacements(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    text = rule("one", f"{a} or {b}", 'rewrite matches as "[{label}]"', on="output")
    return text + rule("r", f"{b} or {a}", "rewrite matches as mask keep last 4", on="output"), "r"


def con_flag(p: Pen) -> Written:
    a, s, high, on, tier = p.answer(), p.score(), p.bounds()[1], p.surface(), p.tier()
    text = rule("one", f"{a} and {s} >= {high}", 'block "No."', on=on, tier=tier)
    return text + rule("r", f"{s} >= {high} and {a}", "flag", on=on, tier=tier), "r"


def con_hold(p: Pen) -> Written:
    on = "tool_call tool.bank.transfer"
    text = rule("one", "call.amount > limit", 'block "Too much."', on=on)
    when = "not (call.amount <= limit)"
    return text + rule("r", when, 'hold for "treasury" within 1h else block', on=on), "r"


def con_approvers(p: Pen) -> Written:
    on = "tool_call tool.mail.send"
    text = rule(
        "one", "call.to.domain not in house", 'hold for "secops" within 1h else block', on=on
    )
    when = "not (call.to.domain in house)"
    return text + rule("r", when, 'hold for "legal" within 1h else block', on=on), "r"


def con_rewrite_block(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    text = rule("one", f"{a} or {b}", 'block "No."', on="input, output")
    return text + rule("r", f"any of ({a}, {b})", "rewrite matches as hash", on="output"), "r"


def con_cascade(p: Pen) -> Written:
    a, b, s, high = p.answer(), p.answer(), p.score(), p.bounds()[1]
    when = cascade(f"yes if {a}", f"no  if {b}", f"yes if {s} >= {high}")
    text = rule("one", when, 'block "No."', tier="ethics")
    when = f"{a} or ({s} >= {high} and not {b})"
    return text + rule("r", when, 'block "Please call us."', tier="ethics"), "r"


def con_quorum(p: Pen) -> Written:
    a, b, c = p.answer(), p.answer(), p.answer()
    text = rule("one", f"2 of ({a}, {b}, {c})", 'block "No."', on="retrieved")
    when = f"({a} and {b}) or ({a} and {c}) or ({b} and {c})"
    return text + rule("r", when, 'block "Not this page."', on="retrieved"), "r"


def step_order(p: Pen) -> Written:
    (low, high), s, a = p.bounds(), p.score(), p.answer()
    when = cascade(f"no  if {s} >= {low}", f"yes if {s} >= {high}", f"yes if {a}")
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def step_narrower(p: Pen) -> Written:
    a, b, s, low = p.answer(), p.answer(), p.score(), p.bounds()[0]
    when = cascade(f"yes if {a}", f"no  if {s} < {low}", f"yes if {a} and {b}", f"yes if {b}")
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def step_split(p: Pen) -> Written:
    s, a, high = p.score(), p.answer(), p.bounds()[1]
    when = cascade(f"yes if {s} >= {high}", f"no  if {s} < {high}", f"yes if {a}")
    return rule("r", when, 'block "No."'), "r"


def step_else(p: Pen) -> Written:
    (low, high), s, t = p.bounds(), p.score(), p.score()
    when = cascade(f"no  if {t} < {low}", f"yes if {s} >= {high}", f"no  if {s} < {high}")
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def step_dead(p: Pen) -> Written:
    (low, high), s, a = p.bounds(), p.score(), p.answer()
    when = cascade(
        f"yes if {a}",
        f"yes if {s} >= {high} and {s} < {low}",
        f"no  if {s} < {low}",
        f"yes if {p.answer()}",
    )
    return rule("r", when, 'block "No."'), "r"


def step_field(p: Pen) -> Written:
    f, a = p.field(), p.answer()
    one, two = p.word(), p.word()
    when = cascade(f"no  if {f} in [{one}, {two}]", f"yes if {f} == {two} and {a}", f"yes if {a}")
    return rule("r", when, 'block "No."'), "r"


def step_label(p: Pen) -> Written:
    a = p.answer()
    when = cascade(
        'no  if refusal == "none"', 'yes if refusal in ["full", "partial"]', f"yes if {a}"
    )
    return rule("r", when, "flag", on="output", tier="guidelines"), "r"


def step_nested(p: Pen) -> Written:
    (low, high), s, a, b = p.bounds(), p.score(), p.answer(), p.answer()
    when = f"{b} and " + cascade(f"yes if {s} >= {low}", f"yes if {s} >= {high}", f"yes if {a}")
    return rule("r", when, 'block "No."'), "r"


def cov_bare(p: Pen) -> Written:
    return rule("r", p.answer(), 'block "No."', on=p.surface()) + exempt("r"), "r"


def cov_always(p: Pen) -> Written:
    f, one, two = p.field(), p.word(), p.word()
    text = rule("r", p.answer(), 'block "No."', on=p.surface())
    return text + exempt("r", f"{f} != {one} or {f} != {two}"), "r"


def cov_same_field(p: Pen) -> Written:
    f, one, two, a = p.field(), p.word(), p.word(), p.answer()
    text = rule("r", f"{a} and {f} == {one}", 'block "No."', on=p.surface())
    return text + exempt("r", f"{f} in [{one}, {two}]"), "r"


def cov_negated(p: Pen) -> Written:
    f, one, a = p.field(), p.word(), p.answer()
    text = rule("r", a, 'block "No."', on=p.surface(), unless=f"{f} == {one}")
    return text + exempt("r", f"{f} != {one}"), "r"


def cov_together(p: Pen) -> Written:
    a, k = p.answer(), p.random.randrange(13, 21)
    text = rule("r", f"{a} and context.age > {k - 9}", 'block "No."')
    return text + exempt("r", f"context.age >= {k}") + exempt("r", f"context.age < {k + 1}"), "r"


def idle_wider(p: Pen) -> Written:
    (low, high), s, a = p.bounds(), p.score(), p.answer()
    when = f"{a} and {s} >= {high} and {s} >= {low}"
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def idle_narrower(p: Pen) -> Written:
    (low, high), s, a = p.bounds(), p.score(), p.answer()
    when = f"{s} >= {high} or {s} >= {low} or {a}"
    return rule("r", when, 'block "No."', on=p.surface()), "r"


def idle_absorbed(p: Pen) -> Written:
    a, b = p.answer(), p.answer()
    return rule("r", f"{a} and ({a} or {b})", 'block "No."', on=p.surface()), "r"


def idle_unless(p: Pen) -> Written:
    (low, high), s = p.bounds(), p.score()
    return rule("r", f"{s} >= {high}", 'block "No."', unless=f"{s} < {low}"), "r"


def idle_quorum(p: Pen) -> Written:
    (low, high), s, a = p.bounds(), p.score(), p.answer()
    when = f"2 of ({a}, {s} >= {high}, {s} < {low} and {s} >= {high})"
    return rule("r", when, 'block "No."'), "r"


FAULTS: tuple[tuple[str, str, Callable[[Pen], Written]], ...] = (
    *(
        ("dead-rule", write.__name__, write)
        for write in (
            dead_bounds,
            dead_cascade,
            dead_unless,
            dead_unless_lower,
            dead_field,
            dead_list,
            dead_quorum,
            dead_quorum_deep,
            dead_domain,
            dead_label,
            dead_number,
            dead_money,
            dead_window,
            dead_context_number,
        )
    ),
    *(
        ("always-fires", write.__name__, write)
        for write in (always_bands, always_negated, always_field, always_labels)
    ),
    *(
        ("subsumed-rule", write.__name__, write)
        for write in (
            sub_threshold,
            sub_weaker,
            sub_conjunct,
            sub_disjunct,
            sub_quorum,
            sub_rewrite,
            sub_rewrite_twice,
            sub_tool,
            sub_domain,
            sub_same,
            sub_same_otherwise,
            sub_cascade,
            sub_rate,
            sub_window,
            sub_field,
        )
    ),
    *(
        ("contradictory-rules", write.__name__, write)
        for write in (
            con_messages,
            con_bounds,
            con_replacements,
            con_flag,
            con_hold,
            con_approvers,
            con_rewrite_block,
            con_cascade,
            con_quorum,
        )
    ),
    *(
        ("unreachable-step", write.__name__, write)
        for write in (
            step_order,
            step_narrower,
            step_split,
            step_else,
            step_dead,
            step_field,
            step_label,
            step_nested,
        )
    ),
    *(
        ("covering-exemption", write.__name__, write)
        for write in (cov_bare, cov_always, cov_same_field, cov_negated, cov_together)
    ),
    *(
        ("idle-condition", write.__name__, write)
        for write in (idle_wider, idle_narrower, idle_absorbed, idle_unless, idle_quorum)
    ),
)
