"""A plain evaluator over worlds, and random conditions to ask it about. Shares no code with cells.

A world says what every subject answers: a check's value or `FAILS`, a field's value or `ABSENT`
or `MALFORMED`, a window's count, whether a sequence completes; and the threshold of every rate.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

from guardkit.diagnostics import Place, Source, Span
from guardkit.semantics import (
    Act,
    And,
    Asked,
    AtLeast,
    CascadeCond,
    CascadeStep,
    Check,
    CheckedPolicy,
    Compared,
    ComparedAtRate,
    Cond,
    Context,
    Defaults,
    Exemption,
    FieldTest,
    Labelled,
    Model,
    Not,
    On,
    Or,
    Rule,
    SequenceSeen,
    Tier,
    WindowCount,
    positive_checks,
)
from guardkit.semantics.exact._cells import Cell
from guardkit.types import STRENGTH, Action, Truth

FAILS, ABSENT, MALFORMED = "<fails>", "<absent>", "<malformed>"
World = dict[tuple[str, ...], object]

PLACE = Place(Source("made.guard", "made up"), Span(0, 4))
YES, NO, UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN


def truth(holds: bool) -> Truth:
    return YES if holds else NO


_OPS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
}


def naive(condition: Cond, world: World) -> Truth:
    """What a condition comes to, word for word from the language's definition."""
    match condition:
        case And(members):
            return min((naive(m, world) for m in members), key=lambda t: t.value, default=YES)
        case Or(members):
            return max((naive(m, world) for m in members), key=lambda t: t.value, default=NO)
        case Not(inner):
            return Truth(2 - naive(inner, world).value)
        case AtLeast(count, members):
            said = [naive(m, world) for m in members]
            if said.count(YES) >= count:
                return YES
            return NO if said.count(YES) + said.count(UNKNOWN) < count else UNKNOWN
        case CascadeCond(steps, otherwise):
            if not steps:
                return truth(otherwise)
            first = naive(steps[0].condition, world)
            rest = naive(CascadeCond(steps[1:], otherwise), world)
            if steps[0].answer:
                return Truth(max(first.value, rest.value))
            return Truth(min(2 - first.value, rest.value))
        case Asked(check):
            answer = world["check", check]
            return UNKNOWN if answer == FAILS else truth(answer is True)
        case Compared(check, op, bound):
            answer = world["check", check]
            return UNKNOWN if answer == FAILS else truth(_OPS[op](float(str(answer)), bound))
        case ComparedAtRate(check, measure, rate):
            answer = world["check", check]
            threshold = world["threshold", check, measure, str(rate)]
            return (
                UNKNOWN if answer == FAILS else truth(float(str(answer)) >= float(str(threshold)))
            )
        case Labelled(check, labels):
            answer = world["check", check]
            return UNKNOWN if answer == FAILS else truth(answer in labels)
        case WindowCount(window, op, bound):
            return truth(_OPS[op](float(str(world["window", window])), bound))
        case SequenceSeen(sequence):
            answer = world["sequence", sequence]
            return UNKNOWN if answer == FAILS else truth(answer is True)
        case FieldTest():
            return _field(condition, world[condition.root, *condition.path])


def _field(test: FieldTest, value: object) -> Truth:
    if value == ABSENT:
        return {"==": NO, "in": NO, "!=": YES, "not in": YES}.get(test.op, UNKNOWN)
    if value == MALFORMED:
        return UNKNOWN
    if isinstance(value, tuple) and test.op in ("<", "<=", ">", ">="):
        return UNKNOWN
    if isinstance(value, tuple):
        inside = min((_inside(test, one) for one in value), key=lambda t: t.value)
    elif test.op in _OPS and test.op != "==":
        return _ordered(test, value)
    else:
        inside = _inside(test, value)
    return Truth(2 - inside.value) if test.op in ("!=", "not in") else inside


def _inside(test: FieldTest, value: object) -> Truth:
    if value == MALFORMED:
        return UNKNOWN
    if test.type == "domain":
        host = str(value)
        return truth(
            any(
                host.endswith(str(p)[1:]) if str(p).startswith("*.") else host == p
                for p in test.values
            )
        )
    if test.type == "money":
        sums = [str(wanted).split() for wanted in test.values]
        amount, currency = str(value).split()
        if any(c == currency and Decimal(a) == Decimal(amount) for a, c in sums):
            return YES
        return UNKNOWN if any(c != currency for _, c in sums) else NO
    return truth(value in test.values)


def _ordered(test: FieldTest, value: object) -> Truth:
    (wanted,) = test.values
    if test.type == "money":
        amount, currency = str(value).split()
        bound, other = str(wanted).split()
        if currency != other:
            return UNKNOWN
        return truth(_OPS[test.op](float(amount), float(bound)))
    if test.type == "date":
        days = sorted({str(value), str(wanted)})
        return truth(_OPS[test.op](days.index(str(value)), days.index(str(wanted))))
    return truth(_OPS[test.op](float(str(value)), float(str(wanted))))


def in_world(cell: Cell) -> object:
    """What a cell's example is in a world."""
    if isinstance(cell.value, tuple):
        is_text = isinstance(cell.value[0], str)
        marks = ("no such thing", 0.0) if is_text else ("no such thing",)
        return tuple(MALFORMED if one in marks else one for one in cell.value)
    if cell.state == "value":
        return cell.value
    return {"fails": FAILS, "absent": ABSENT}.get(cell.state, MALFORMED)


def contribution(rule: Rule, exemptions: Sequence[Exemption], world: World) -> Action:
    """What a rule adds to a verdict."""
    if rule.mode != "enforce":
        return "pass"
    for exemption in exemptions:
        if exemption.rule == rule.name and (
            exemption.condition is None or naive(exemption.condition, world) is YES
        ):
            return "pass"
    said = naive(rule.condition, world)
    acts: list[Action] = [rule.action.verb] if said is YES else []
    # A rewriting rule that cannot say where the matches are could not tell either.
    placing = [name for name in positive_checks(rule.condition) if name in "abc"]
    mute = rule.action.verb == "rewrite" and any(world["check", name] == FAILS for name in placing)
    if said is UNKNOWN or (said is YES and mute):
        acts.append(rule.on_error)
    return max(acts, key=STRENGTH.__getitem__, default="pass")


def verdict(policy: CheckedPolicy, surface: str, tool: str | None, world: World) -> Action:
    """The strongest action of all rules that judge an event."""
    acts = [
        contribution(rule, policy.exemptions, world)
        for rule in policy.rules
        if rule.judges(surface, tool)
    ]
    return max(acts, key=STRENGTH.__getitem__, default="pass")


# --- random conditions over a few subjects, and every world that matters to them

CHECKS = (
    *(("answer", name) for name in ("a", "b", "c")),
    *(("score", name) for name in ("s", "t")),
    ("number", "n"),
    ("label", "k"),
)
_BOUNDS = (0.3, 0.5, 0.8)
_HOSTS = ("x.example", "*.x.example", "a.x.example", "*.a.x.example", "y.example")
VALUES: dict[tuple[str, ...], tuple[object, ...]] = {
    **{("check", name): (False, True, FAILS) for name in ("a", "b", "c")},
    **{("check", name): (0.0, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, FAILS) for name in ("s", "t")},
    ("check", "n"): (-1.0, 3.0, 3.5, 4.0, 5.0, FAILS),
    ("check", "k"): ("none", "full", "partial", "odd", FAILS),
    ("threshold", "s", "fpr", "0.01"): (0.9, 0.7),
    ("threshold", "s", "fpr", "0.05"): (0.7, 0.35),
    ("window", "w"): tuple(range(6)),
    ("sequence", "q"): (False, True, FAILS),
    ("context", "channel"): (
        "web",
        "app",
        "shop",
        "elsewhere",
        ("web", "app"),
        ("web", "shop"),
        ("app", "shop"),
        ("web", "app", "shop"),
        ("web", MALFORMED),
        ("app", MALFORMED),
        ("shop", MALFORMED),
        ("elsewhere", MALFORMED),
        ("web", "app", MALFORMED),
        ("web", "shop", MALFORMED),
        ("app", "shop", MALFORMED),
        ("web", "app", "shop", MALFORMED),
        ABSENT,
        MALFORMED,
    ),
    ("context", "age"): (
        17.0,
        18.0,
        19.0,
        20.0,
        21.5,
        (17.0,),
        (18.0,),
        (20.0,),
        (18.0, 20.0),
        (17.0, MALFORMED),
        (18.0, MALFORMED),
        (20.0, MALFORMED),
        (18.0, 20.0, MALFORMED),
        ABSENT,
        MALFORMED,
    ),
    ("context", "vip"): (
        False,
        True,
        (False, True),
        (False, MALFORMED),
        (True, MALFORMED),
        (False, True, MALFORMED),
        ABSENT,
        MALFORMED,
    ),
    ("context", "since"): ("2025-12-31", "2026-01-01", "2026-06-01", ABSENT, MALFORMED),
    ("context", "idle"): (0, 60_000, 90_000, 120_000, ABSENT, MALFORMED),
    ("call", "amount"): ("1 EUR", "500 EUR", "501 EUR", "3 USD", "1 GBP", ABSENT, MALFORMED),
    ("call", "to", "domain"): (
        "x.example",
        "b.x.example",
        "a.x.example",
        "b.a.x.example",
        "y.example",
        "z.example",
        ("x.example", "y.example"),
        ("a.x.example", "z.example"),
        ("a.x.example", "b.a.x.example"),
        ("y.example", MALFORMED),
        ABSENT,
        MALFORMED,
    ),
}


def random_atom(chance: random.Random, kinds: str = "asntkrwqfgvdimh") -> Cond:
    """One atom; `kinds` are letters, so that a test can leave some out."""
    match chance.choice(kinds):
        case "a":
            return Asked(chance.choice("abc"), PLACE)
        case "s" | "t" as name:
            op = chance.choice((">=", "<", ">", "<="))
            return Compared(name, op, chance.choice(_BOUNDS), PLACE)
        case "n":
            op = chance.choice((">=", "<", ">", "<=", "=="))
            return Compared("n", op, chance.choice((3.0, 4.0)), PLACE)
        case "k":
            labels = chance.choice((("none",), ("full",), ("full", "none"), ("partial", "none")))
            return Labelled("k", labels, PLACE)
        case "r":
            return ComparedAtRate("s", "fpr", chance.choice((0.01, 0.05)), PLACE)
        case "w":
            op = chance.choice((">=", "<", ">", "<=", "=="))
            return WindowCount("w", op, chance.choice((2, 3)), PLACE)
        case "q":
            return SequenceSeen("q", PLACE)
        case "f":
            op = chance.choice(("==", "!=", "in", "not in"))
            count = chance.choice((1, 2)) if "in" in op else 1
            values = tuple(sorted(chance.sample(("web", "app", "shop"), count)))
            return FieldTest("context", ("channel",), op, values, "text", PLACE)
        case "g":
            op = chance.choice(("==", "<", "<=", ">", ">="))
            return FieldTest(
                "context", ("age",), op, (chance.choice((18.0, 20.0)),), "number", PLACE
            )
        case "v":
            op = chance.choice(("==", "!="))
            return FieldTest("context", ("vip",), op, (chance.random() < 0.5,), "answer", PLACE)
        case "d":
            op = chance.choice(("<", "<=", ">", ">=", "=="))
            day = chance.choice(("2026-01-01", "2026-06-01"))
            return FieldTest("context", ("since",), op, (day,), "date", PLACE)
        case "i":
            op = chance.choice(("<", "<=", ">", ">="))
            return FieldTest(
                "context", ("idle",), op, (chance.choice((60_000, 120_000)),), "duration", PLACE
            )
        case "m":
            op = chance.choice(("<", "<=", ">", ">=", "=="))
            amount = chance.choice(("500 EUR", "2 USD"))
            return FieldTest("call", ("amount",), op, (amount,), "money", PLACE)
        case _:
            hosts = tuple(sorted(chance.sample(_HOSTS, chance.choice((1, 2)))))
            op = chance.choice(("in", "not in"))
            return FieldTest("call", ("to", "domain"), op, hosts, "domain", PLACE)


def random_condition(chance: random.Random, depth: int = 3, kinds: str = "asntkrwqfgvdimh") -> Cond:
    """A condition of every shape the language has."""
    if depth == 0 or chance.random() < 0.25:
        return random_atom(chance, kinds)
    members = tuple(
        random_condition(chance, depth - 1, kinds) for _ in range(chance.choice((2, 2, 3)))
    )
    match chance.choice("aaoonqc"):
        case "a":
            return And(members, PLACE)
        case "o":
            return Or(members, PLACE)
        case "n":
            return Not(members[0], PLACE)
        case "q":
            return AtLeast(chance.randint(1, len(members)), members, PLACE)
        case _:
            steps = tuple(CascadeStep(chance.random() < 0.6, m, PLACE) for m in members)
            return CascadeCond(steps, chance.random() < 0.2, PLACE)


def subject_of(key: Cond) -> list[tuple[str, ...]]:
    """The entries of a world that an atom looks at."""
    match key:
        case ComparedAtRate(check, measure):
            rates = ("0.01", "0.05")
            return [("check", check), *(("threshold", check, measure, rate) for rate in rates)]
        case Asked(check) | Compared(check) | Labelled(check):
            return [("check", check)]
        case WindowCount(window):
            return [("window", window)]
        case SequenceSeen(sequence):
            return [("sequence", sequence)]
        case FieldTest(root, path):
            return [(root, *path)]
        case _:
            raise ValueError("not an atom")


def random_world(chance: random.Random) -> World:
    return {key: chance.choice(values) for key, values in VALUES.items()}


def made_policy(
    rules: Sequence[Rule],
    *,
    exemptions: Sequence[Exemption] = (),
    checks: Sequence[Check] | None = None,
) -> CheckedPolicy:
    """A policy with these rules and the checks of this file."""
    return CheckedPolicy(
        name="made",
        kind="policy",
        title="",
        owner="",
        version="1",
        tiers=(
            Tier("safety", (), "block"),
            Tier("ethics", (), "hold"),
            Tier("guidelines", (), "flag"),
            Tier("helpfulness", (), "pass"),
        ),
        defaults=Defaults(),
        params=(),
        checks=tuple(made_checks() if checks is None else checks),
        rules=tuple(rules),
        principles=(),
        context=Context(),
        model=Model(),
        tools=(),
        windows=(),
        sequences=(),
        exemptions=tuple(exemptions),
        tests=(),
        probes=(),
        monitors=(),
    )


def made_checks() -> list[Check]:
    return [
        Check(name, "made", answers, answers == "answer", "", (), (("name", name),), PLACE)  # type: ignore[arg-type]
        for answers, name in CHECKS
    ]


def made_rule(
    name: str,
    condition: Cond,
    verb: Action = "block",
    *,
    on: Sequence[On] = (On("input"),),
    on_error: str = "block",
    tier: str = "safety",
    mode: str = "enforce",
    text: str | None = None,
) -> Rule:
    return Rule(
        name=name,
        tier=tier,
        severity="medium",
        on=tuple(on),
        condition=condition,
        action=Act(verb, text),
        on_error=on_error,  # type: ignore[arg-type]
        mode=mode,  # type: ignore[arg-type]
        place=PLACE,
        name_place=PLACE,
    )
