"""Clean policies as text, full of near misses that are right as they stand; the seed is fixed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.semantics.faults.shop import ANSWERS, HEADER, SCORES, SEED, Pen, cascade, exempt, rule

# Each part is a group of declarations: overlaps, nested thresholds, repeated conditions.
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
    text = HEADER.format(number=number)
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
