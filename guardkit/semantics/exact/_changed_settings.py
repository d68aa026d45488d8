"""What differs between two policies apart from outcomes: every declaration, field by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Literal

from guardkit._util.values import format_duration
from guardkit.types import STRENGTH

from .._policy import (
    Act,
    And,
    Asked,
    AtLeast,
    CascadeCond,
    CheckedPolicy,
    Compared,
    ComparedAtRate,
    Cond,
    FieldTest,
    Labelled,
    Not,
    On,
    Or,
    Plain,
    Rule,
    SequenceEvent,
    SequenceSeen,
    WindowCount,
    atoms_of,
)

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")

How = Literal["added", "removed", "renamed", "changed"]
Facts = dict[str, str]
"""What one declaration says, as texts by field."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One difference: a declaration that came, went or was renamed, or one field of it.

    `is_weaker` says that the new policy does less because of it, as far as that shows here.
    """

    kind: str
    name: str
    how: How
    field: str = ""
    before: str = ""
    after: str = ""
    is_weaker: bool = False


def changed_settings(old: CheckedPolicy, new: CheckedPolicy) -> Iterator[Setting]:
    """Every difference in what two policies declare, in the order a policy is written."""
    before, after = _declarations(old), _declarations(new)
    judge = _judge(old, new)
    rules = {rule.name: rule for rule in old.rules}, {rule.name: rule for rule in new.rules}
    for kind in before:
        for setting in _of_kind(kind, before[kind], after[kind], judge):
            if (kind, setting.field) == ("rule", "when"):
                one, other = (side[setting.name].condition for side in rules)
                yield from _bounds(setting, one, other)
            else:
                yield setting


def _bounds(setting: Setting, before: Cond, after: Cond) -> Iterator[Setting]:
    """A changed condition; only its bounds, where nothing else of it changed."""
    pairs = list(zip(atoms_of(before), atoms_of(after), strict=False))
    shapes = {_NUMBER.sub("#", text) for text in (setting.before, setting.after)}
    moved = [(one, other) for one, other in pairs if one != other]
    if len(shapes) > 1 or not all(
        isinstance(one, Compared | ComparedAtRate | WindowCount) for one, _ in moved
    ):
        yield setting
        return
    for one, other in moved:
        yield replace(setting, field="threshold", before=in_words(one), after=in_words(other))


def _of_kind(
    kind: str, before: dict[str, Facts], after: dict[str, Facts], judge: _Judge
) -> Iterator[Setting]:
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    if kind != "exempt":
        for name in list(gone):
            twin = next((other for other in come if after[other] == before[name]), None)
            if twin is not None:
                gone.remove(name)
                come.remove(twin)
                yield Setting(kind, name, "renamed", before=name, after=twin)
    for name in gone:
        yield Setting(kind, name, "removed", is_weaker=kind == "canary")
    for name in come:
        yield Setting(kind, name, "added", is_weaker=kind == "exempt")
    for name in before:
        if name in after and before[name] != after[name]:
            for field in dict.fromkeys((*before[name], *after[name])):
                one, other = before[name].get(field, ""), after[name].get(field, "")
                if one != other:
                    weaker = judge(kind, name, field, one, other)
                    yield Setting(kind, name, "changed", field, one, other, weaker)


_Judge = Callable[[str, str, str, str, str], bool]


def _judge(old: CheckedPolicy, new: CheckedPolicy) -> _Judge:
    """Whether a changed field means that less is caught, where no outcome shows it."""
    for_session = any(rule.action.for_session for rule in new.rules if rule.mode == "enforce")
    turns = {
        **{("window", w.name): w.turns for w in old.windows},
        **{("sequence", s.name): s.turns for s in old.sequences},
    }
    now = {
        **{("window", w.name): w.turns for w in new.windows},
        **{("sequence", s.name): s.turns for s in new.sequences},
    }
    counts = {w.name: set(w.counts) for w in new.windows}
    acts = tuple(
        {rule.name: rule.action for rule in policy.rules if rule.mode == "enforce"}
        for policy in (old, new)
    )

    def judge(kind: str, name: str, field: str, before: str, after: str) -> bool:
        match kind, field:
            case "defaults", "unread":
                return STRENGTH[after] < STRENGTH[before]
            case "defaults", "session_ttl":
                return for_session and new.defaults.session_ttl_ms < old.defaults.session_ttl_ms
            case "exempt", "until":
                return after > before
            case "rule", "for session":
                return before == "yes"
            case "rule", "share":
                # A rule that comes into force for a share does more than it did in shadow.
                return (
                    name in acts[0]
                    and after != ""
                    and (before == "" or _percent(after) < _percent(before))
                )
            case "rule", "then":
                one, other = (side.get(name) for side in acts)
                return one is not None and other is not None and _does_less(one, other)
            case (("window" | "sequence"), ("last" | "within")):
                return now[kind, name] < turns[kind, name]
            case "window", "count":
                return not set(before.split(", ")) <= counts[name]
            case _:
                return False

    return judge


def _percent(written: str) -> float:
    return float(written.removesuffix("%"))


def _does_less(before: Act, after: Act) -> bool:
    """Whether an action of the same name lets more through; other names show as outcomes."""
    if before.verb != after.verb:
        return False
    if before.otherwise is not None and after.otherwise is not None:
        one, other = before.otherwise, after.otherwise
        return STRENGTH[other.verb] < STRENGTH[one.verb] or _does_less(one, other)
    if before.verb != "rewrite" or after.whole:
        return False
    return before.whole or (
        after.form == "mask" and before.form == "mask" and after.keep > before.keep
    )


# --- every declaration as texts


def _declarations(policy: CheckedPolicy) -> dict[str, dict[str, Facts]]:
    context = policy.context
    exemptions: dict[str, Facts] = {}
    for exemption in policy.exemptions:
        number = sum(name.split(" #")[0] == exemption.rule for name in exemptions) + 1
        name = exemption.rule if number == 1 else f"{exemption.rule} #{number}"
        exemptions[name] = {
            "tier": exemption.tier,
            "when": "" if exemption.condition is None else in_words(exemption.condition),
            "owner": exemption.owner,
            "reason": exemption.reason,
            "until": exemption.until,
        }
    return {
        "policy": {"": _header(policy)},
        "tier": {
            tier.name: {"may": ", ".join(tier.may), "on_error": tier.on_error}
            for tier in policy.tiers
        },
        "tiers": {"": {"order": " > ".join(tier.name for tier in policy.tiers)}},
        "defaults": {"": _defaults(policy)},
        "param": {p.name: {"type": p.type, "value": _shown(p.value)} for p in policy.params},
        "principle": {
            p.name: {"tier": p.tier, "text": p.text, "title": p.title} for p in policy.principles
        },
        "context line": {line: {} for line in context.lines},
        "canary": {"context": {}} if context.canary else {},
        "model": {
            "": {
                "refuses": ", ".join(policy.model.refuses),
                "answers": ", ".join(policy.model.answers),
            }
        },
        "tool": {tool.name: _shown_fields(tool, "name") for tool in policy.tools},
        "check": {
            check.name: {
                "kind": check.kind,
                "label": check.label,
                **{name: _shown(value) for name, value in check.config},
            }
            for check in policy.checks
        },
        "rule": {rule.name: _rule(rule) for rule in policy.rules},
        "window": {
            w.name: {"count": ", ".join(w.counts), "last": f"{w.turns} turns"}
            for w in policy.windows
        },
        "sequence": {
            s.name: {
                "first": _event(s.first),
                "then": _event(s.then),
                "within": f"{s.turns} turns",
            }
            for s in policy.sequences
        },
        "exempt": exemptions,
        "test": {case.name: {} for case in policy.tests},
        "probe": {probe.name: _shown_fields(probe, "name", "place") for probe in policy.probes},
        "monitor": {m.name: _monitor(m) for m in policy.monitors},
    }


def _header(policy: CheckedPolicy) -> Facts:
    return {
        "name": policy.name,
        "title": policy.title,
        "owner": policy.owner,
        "version": policy.version,
    }


def _defaults(policy: CheckedPolicy) -> Facts:
    defaults = policy.defaults
    budgets = {
        f"budget {budget.surface}": f"{budget.ms}ms" + (" per chunk" if budget.per_chunk else "")
        for budget in defaults.budgets
    }
    refusals = "" if defaults.refusals is None else f"{defaults.refusals * 100:g}%"
    held = "all" if defaults.hold_back is None else f"{defaults.hold_back} chars"
    return {
        **budgets,
        "budget refusals": refusals,
        "hold_back": held,
        "hold_limit": f"{defaults.hold_limit} chars",
        "session_ttl": format_duration(defaults.session_ttl_ms),
        "unread": defaults.unread,
    }


def _rule(rule: Rule) -> Facts:
    action = rule.action
    return {
        "tier": rule.tier,
        "severity": rule.severity,
        "mode": rule.mode,
        "share": "" if rule.share == 100 else f"{rule.share:g}%",
        "on": ", ".join(_on(on) for on in rule.on),
        "when": in_words(rule.condition),
        "then": _act(action),
        "message": action.text or "",
        "for session": "yes" if action.for_session else "",
        "on_error": rule.on_error,
        "title": rule.title,
        "owner": rule.owner,
        "version": rule.version,
        "note": rule.note,
        "refs": ", ".join(rule.refs),
    }


def _act(action: Act) -> str:
    words = [str(action.verb)]
    if action.verb == "rewrite":
        words.append("all" if action.whole else "matches")
    if action.form not in (None, "text"):
        words.append(f"as {action.form}")
    if action.keep:
        words.append(f"keep last {action.keep}")
    if action.approvers is not None:
        words.append(f'for "{action.approvers}"')
    if action.principle is not None:
        words.append(f"by {action.principle}")
    if action.rounds:
        words.append(f"at most {action.rounds}")
    if action.within_ms is not None:
        words.append(f"within {format_duration(action.within_ms)}")
    if action.otherwise is not None:
        text = f' "{action.otherwise.text}"' if action.otherwise.text else ""
        words.append(f"else {_act(action.otherwise)}{text}")
    return " ".join(words)


def _on(on: On) -> str:
    return " ".join((on.surface, ", ".join(on.tools))).strip()


def _event(event: SequenceEvent) -> str:
    where = "" if event.where is None else f" where {in_words(event.where)}"
    return _on(event.on) + where


def _monitor(monitor: object) -> Facts:
    facts = _shown_fields(monitor, "name", "place", "condition", "over_ms")
    condition = getattr(monitor, "condition", None)
    facts["watch"] = "" if condition is None else in_words(condition)
    facts["over"] = format_duration(int(getattr(monitor, "over_ms", 0)))
    return facts


def _shown_fields(value: object, *left_out: str) -> Facts:
    assert is_dataclass(value)
    return {f.name: _shown(getattr(value, f.name)) for f in fields(value) if f.name not in left_out}


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(_shown(item) for item in value)
        case _:
            return str(value)


# --- conditions in words


def in_words(condition: Cond, *, inside: bool = False) -> str:
    """A condition as a policy would say it; in brackets where it stands `inside` another one."""
    match condition:
        case And(members):
            return _joined(members, " and ", inside)
        case Or(members):
            return _joined(members, " or ", inside)
        case Not(inner):
            return f"not {in_words(inner, inside=True)}"
        case AtLeast(count, members):
            return f"{count} of ({', '.join(in_words(member) for member in members)})"
        case CascadeCond(steps, otherwise):
            said = [
                f"{'yes' if step.answer else 'no'} if {in_words(step.condition)}" for step in steps
            ]
            return "cascade { " + "  ".join([*said, f"else {'yes' if otherwise else 'no'}"]) + " }"
        case Asked(check):
            return check
        case Compared(check, op, bound):
            return f"{check} {op} {bound:g}"
        case ComparedAtRate(check, measure, rate):
            return f"{check} at {measure} {rate * 100:g}%"
        case Labelled(check, labels):
            return _compared(check, labels)
        case FieldTest(op=op, values=values):
            if op in ("in", "not in"):
                return f"{condition.name} {op} [{', '.join(map(_literal, values))}]"
            return f"{condition.name} {op} {_literal(values[0])}"
        case WindowCount(window, op, bound):
            return f"{window} {op} {bound}"
        case SequenceSeen(sequence):
            return f"sequence {sequence}"


def _joined(members: Iterable[Cond], word: str, inside: bool) -> str:
    text = word.join(in_words(member, inside=True) for member in members)
    return f"({text})" if inside else text


def _compared(name: str, labels: tuple[str, ...]) -> str:
    if len(labels) == 1:
        return f'{name} == "{labels[0]}"'
    return f"{name} in [{', '.join(map(_literal, labels))}]"


def _literal(value: Plain) -> str:
    return f'"{value}"' if isinstance(value, str) else _shown(value)
