"""Policies with one seeded fault each, as text; the seed is fixed.

A faulty policy is a clean one with one more declaration or two, as a hurried author would add
them; `rule` names what the report has to be about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.semantics.faults.clean import Part, amounts, egress, flow, grey_zone
from tests.semantics.faults.shop import HEADER, SEED, Pen, cascade, exempt, rule


@dataclass(frozen=True)
class Fault:
    """A policy with a fault: the code to be reported, and the name that the report is about."""

    title: str
    text: str
    code: str
    rule: str


def faulty_policies() -> Iterator[Fault]:
    """Every kind of fault several times, each inside another clean policy."""
    number = 0
    for code, title, write in FAULTS:
        for _ in range(2):
            number += 1
            pen = Pen(SEED + 1000 + number)
            text, name = write(pen)
            around = grey_zone if "poisoned" in text else one_of_the_plain(number)
            base = HEADER.format(number=number) + "\n" + around(Pen(SEED + number), "z")
            yield Fault(f"{title} {number}", base + "\n" + text, code, name)


def one_of_the_plain(number: int) -> Part:
    return (flow, egress, amounts)[number % 3]


Written = tuple[str, str]


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
    text = rule(
        "wide", "call.to.domain not in house", 'block "Not outside."', on=on, severity="high"
    )
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
