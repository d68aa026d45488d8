"""Exact analyses: rules that never or always fire, that others silence, parts that do nothing.

Everything reported is proved over all outcomes the checks could have, failures included; nothing
is guessed from names or texts. What cannot be proved within the limits is said so (GK424).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guardkit.diagnostics import Diagnostic, Label, Place, Source, Span, diagnose
from guardkit.types import SURFACES

from .._policy import CheckedPolicy, Cond, Exemption, Rule
from ._diagrams import TooLarge
from ._one_rule import Fault, Findings, study
from ._outcomes import Space, Twins, twins_of
from ._two_rules import Pair, compare_rules

_NOWHERE = Place(Source("policy", ""), Span(0, 0))


def analyse(policy: CheckedPolicy) -> Iterator[Diagnostic]:
    """Everything that can be proved to be pointless in a policy, rule by rule.

    Covers GK401 to GK407, and GK424 where an exact answer would be too large. Retired rules are
    left out; rules in shadow and in a module are studied by themselves, never beside others.
    """
    twins = twins_of(policy)
    alone: list[Rule] = []
    dead: set[str] = set()
    for rule in policy.rules:
        if rule.mode == "retired":
            continue
        subject = _Subject(f"`{rule.name}`", rule.name_place or rule.place or _NOWHERE)
        try:
            findings = study(rule.condition, twins)
        except TooLarge:
            yield _limit(subject)
            continue
        yield from _rule_findings(rule, findings, subject)
        if findings.is_dead:
            dead.add(rule.name)
        elif rule.mode == "enforce" and not findings.is_constant:
            alone.append(rule)
    try:
        # The rules of a module are a choice: which of them meet is for the policy to say.
        together = alone if policy.kind == "policy" else []
        for pair in compare_rules(policy, together, twins):
            yield _pair(pair)
    except TooLarge:
        yield _limit(_Subject("comparing the rules with each other", _place_of(policy)))
    yield from _other_conditions(policy, twins)
    yield from _exemptions(policy, dead, twins)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a finding is about: its words, and a place in the file that the author wrote."""

    words: str
    place: Place

    def at(self, part: Cond) -> Place:
        """Where a part stands; the subject itself where the part belongs to a library."""
        place = part.place
        return place if place is not None and place.source is self.place.source else self.place

    def labels(self, parts: Sequence[Cond], text: str) -> list[Label]:
        return [Label(part.place, text) for part in parts if part.place is not None]


def _place_of(policy: CheckedPolicy) -> Place:
    return next((r.name_place for r in policy.rules if r.name_place is not None), _NOWHERE)


def _limit(subject: _Subject) -> Diagnostic:
    return diagnose(
        "analysis-limit",
        subject.place,
        f"{subject.words} is too large for an exact analysis",
        help="nothing was proved about it; several smaller rules can be analysed",
    )


# --- one condition


def _rule_findings(rule: Rule, findings: Findings, subject: _Subject) -> Iterator[Diagnostic]:
    if findings.is_dead:
        yield _dead(rule, findings, subject)
    elif findings.is_constant:
        yield diagnose(
            "always-fires",
            subject.place,
            f"`{rule.name}` fires on everything",
            note="whatever its checks answer, its condition is yes",
            labels=subject.labels([rule.condition], "always yes")
            if subject.at(rule.condition) is not subject.place
            else (),
            help=f"every event on {_listed(rule.surfaces)} comes to `{rule.action.verb}`",
        )
    yield from _faults(findings.faults, subject)


def _dead(rule: Rule, findings: Findings, subject: _Subject) -> Diagnostic:
    text = "never yes" if len(findings.clash) == 1 else "never yes together"
    parts = findings.clash or tuple(fault.part for fault in findings.faults if fault.kind == "step")
    if parts and not findings.clash:
        text = "this step never decides"
    return diagnose(
        "dead-rule",
        subject.place,
        f"`{rule.name}` can never fire",
        note="no answers of its checks make its condition yes",
        labels=subject.labels(parts, text),
        help="look for bounds that exclude each other, or a step that stands too late",
    )


def _faults(faults: Sequence[Fault], subject: _Subject) -> Iterator[Diagnostic]:
    for fault in faults:
        place = subject.at(fault.part)
        match fault.kind:
            case "step":
                yield diagnose(
                    "unreachable-step",
                    place,
                    f"a step of {subject.words} never decides",
                    note="never reached with a yes",
                    labels=subject.labels(fault.because, "this step has decided by then"),
                    help="put the narrower step first, or remove it",
                )
            case "else":
                yield diagnose(
                    "unreachable-step",
                    place,
                    f"the `else` of {subject.words} is never reached",
                    note="the steps up to this one decide everything",
                    help="leave this step out and give its answer to `else`",
                )
            case "member":
                yield diagnose(
                    "idle-condition",
                    place,
                    f"a part of {subject.words} never matters",
                    note="without it the outcome is the same",
                    labels=subject.labels(fault.because, "this says it all"),
                    help="remove it, or check its bound: it may be meant to be stricter",
                )


def _other_conditions(policy: CheckedPolicy, twins: Twins) -> Iterator[Diagnostic]:
    """Steps and members that never matter, in exemptions, sequences and monitors."""
    found: list[tuple[str, Place | None, Cond]] = [
        (f"the exemption of `{exemption.rule}`", exemption.place, exemption.condition)
        for exemption in policy.exemptions
        if exemption.condition is not None
    ]
    for sequence in policy.sequences:
        found += [
            (f"the sequence `{sequence.name}`", sequence.place, event.where)
            for event in (sequence.first, sequence.then)
            if event.where is not None
        ]
    found += [
        (f"the monitor `{monitor.name}`", monitor.place, monitor.condition)
        for monitor in policy.monitors
        if monitor.condition is not None
    ]
    for words, place, condition in found:
        subject = _Subject(words, place or _NOWHERE)
        try:
            yield from _faults(study(condition, twins).faults, subject)
        except TooLarge:
            yield _limit(subject)


# --- two rules


def _pair(pair: Pair) -> Diagnostic:
    weak, strong = pair.weak, pair.strong
    place = weak.name_place or weak.place or _NOWHERE
    other = strong.name_place or strong.place or _NOWHERE
    if pair.kind == "limit":
        return diagnose(
            "analysis-limit",
            place,
            f"`{weak.name}` and `{strong.name}` are too large to compare exactly",
            labels=(Label(other, "the other rule"),),
        )
    if pair.kind == "contradictory":
        return _contradiction(weak, strong, place, other)
    verb = strong.action.verb
    again = "too" if weak.action.verb == verb else f"with `{verb}`, which is stronger"
    return diagnose(
        "subsumed-rule",
        place,
        f"`{weak.name}` never changes a verdict",
        note=f"`{strong.name}` fires whenever this does",
        labels=(Label(other, f"fires in every such case, {again}"),),
        help=f"remove it, put it into shadow to keep counting, or narrow `{strong.name}`",
    )


def _contradiction(weak: Rule, strong: Rule, place: Place, other: Place) -> Diagnostic:
    one, two = weak.action.verb, strong.action.verb
    if one == two:
        what = "messages" if one == "block" else "replacements" if one == "rewrite" else "terms"
        note = f"both `{one}`, with different {what}; only names decide which is used"
        help = "keep one of them, or give them different severities"
    else:
        note = f"says `{one}` where the other says `{two}`, so it is never heard"
        help = "keep one of them, or make their conditions differ"
    return diagnose(
        "contradictory-rules",
        place,
        f"`{weak.name}` and `{strong.name}` fire together and disagree",
        note=note,
        labels=(Label(other, f"fires on exactly the same outcomes, with `{two}`"),),
        help=help,
    )


def _listed(surfaces: Sequence[str]) -> str:
    ordered = [f"`{surface}`" for surface in SURFACES if surface in surfaces]
    return ordered[0] if len(ordered) == 1 else ", ".join(ordered[:-1]) + f" and {ordered[-1]}"


# --- exemptions


def _exemptions(policy: CheckedPolicy, dead: set[str], twins: Twins) -> Iterator[Diagnostic]:
    rules = {rule.name: rule for rule in policy.rules}
    for name in dict.fromkeys(exemption.rule for exemption in policy.exemptions):
        rule = rules.get(name)
        if rule is None or rule.mode != "enforce" or name in dead:
            continue
        group = [exemption for exemption in policy.exemptions if exemption.rule == name]
        try:
            yield from _covering(rule, group, twins)
        except TooLarge:
            yield _limit(_Subject(f"the exemption of `{name}`", group[0].place or _NOWHERE))


def _covering(rule: Rule, group: Sequence[Exemption], twins: Twins) -> Iterator[Diagnostic]:
    conditions = [e.condition for e in group if e.condition is not None]
    space = Space([rule.condition, *conditions], twins)
    fires = space.outcome(rule.condition).yes
    covered = []
    found = False
    for exemption in group:
        if exemption.condition is None:
            found = True
            yield _switched_off(rule, exemption, "it has no condition")
            continue
        yes = space.outcome(exemption.condition).yes
        covered.append(yes)
        if space.holds_when_definite(yes):
            found = True
            yield _switched_off(rule, exemption, "its condition always holds")
        elif space.diagrams.implies(fires, yes):
            found = True
            yield _switched_off(rule, exemption, "it covers every case in which the rule fires")
    together = space.diagrams.any_of(covered)
    if not found and len(covered) > 1 and space.diagrams.implies(fires, together):
        why = "together, its exemptions cover every case in which it fires"
        yield _switched_off(rule, group[-1], why)


def _switched_off(rule: Rule, exemption: Exemption, why: str) -> Diagnostic:
    label = rule.name_place or rule.place
    return diagnose(
        "covering-exemption",
        exemption.place or label or _NOWHERE,
        f"this exemption switches `{rule.name}` off until {exemption.until}",
        note=why,
        labels=() if label is None else (Label(label, "never has an effect until then"),),
        help="narrow it with `when`; to switch a rule off for all, say `mode shadow`",
    )
