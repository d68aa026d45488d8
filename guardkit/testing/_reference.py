"""The reference evaluator: what a checked policy means, said as plainly as it can be said.

It is the judge of the real engine, so nothing here is quick: no cache, no concurrency, no I/O, no
clock. Every rule is judged in full on every event, check answers come in as data, and the order of
rules, of answers and of spans never matters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from operator import and_, eq, ge, gt, le, lt, or_
from typing import Literal, TypeGuard

from guardkit._util import values
from guardkit.semantics import (
    Act,
    And,
    Asked,
    AtLeast,
    CascadeCond,
    Check,
    CheckedPolicy,
    Compared,
    ComparedAtRate,
    Cond,
    FieldTest,
    Labelled,
    Not,
    On,
    Or,
    Rule,
    SequenceSeen,
    WindowCount,
    atoms_of,
    check_of,
    positive_checks,
)
from guardkit.types import SEVERITIES, Action, Surface, Truth, strongest

BLOCKED = "This was blocked by a policy."  # where the rule brings no message
HELD = "This is waiting for approval."

Token = Callable[[str, str, str], str]  # (form, label, text) -> what stands for the text
Thresholds = Mapping[tuple[str, str, float], float]  # (check, measure, rate) -> score

# --- what goes in and what comes out


@dataclass(frozen=True, slots=True)
class Span:
    """A match: code points of the event's text or, with a JSON pointer, of a string argument."""

    start: int
    end: int
    label: str = ""
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check said: bool for yes/no, a number, or a label. `None`: it could not answer."""

    value: bool | float | str | None
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. A check without an entry in `answers` is unknown."""

    surface: Surface
    text: str = ""
    tool: str | None = None
    arguments: Mapping[str, object] | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A match of a rule that fired; its label is the one that rewriting shows."""

    rule: str
    check: str
    span: Span


@dataclass(frozen=True, slots=True)
class Settled:
    """An action, and what may be delivered under it."""

    action: Action
    text: str
    rewritten: Mapping[str, str] = field(default_factory=dict)
    """The string arguments that rewriting changed, by JSON pointer."""


@dataclass(frozen=True, slots=True)
class Outcome(Settled):
    """The verdict on one event. Rule names are ordered by tier, severity, name."""

    message: str | None = None
    """What the user is told; only when the action is `block`."""
    fired: tuple[str, ...] = ()
    exempted: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Rules, in force or in shadow, that an unknown reached."""
    unknown_checks: tuple[str, ...] = ()
    """Checks of those rules that gave no usable answer."""
    findings: tuple[Finding, ...] = ()
    acts: tuple[tuple[str, Act], ...] = ()
    """What each rule that fired wants: approvers, principle, rounds and deadlines stand there."""
    approved: Settled | None = None
    """What becomes of a held event once every hold is approved."""
    otherwise: Settled | None = None
    """What becomes of a held or revised event when nobody approves and no revision is clean."""
    session_closed: bool = False


@dataclass(slots=True)
class _Session:
    turn: int = 0  # before the first input; every input begins the next one
    fired: list[tuple[int, str]] = field(default_factory=list)  # turn, rule: one for every event
    firsts: list[tuple[int, str, Truth]] = field(default_factory=list)  # turn, sequence
    closed_by: tuple[str, ...] = ()
    closed_message: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What one rule made of one event."""

    rule: Rule
    standing: Literal["silent", "fired", "exempted", "shadow"] = "silent"
    acts: tuple[Act, ...] = ()
    is_unknown: bool = False


_Wish = tuple[Rule, Act]  # a rule that fired, and what it wants done


@dataclass(frozen=True, slots=True)
class _Mark:
    """A stretch of a text that a rewriting rule wants replaced."""

    start: int
    end: int
    label: str
    rule: Rule
    act: Act

    def keeps(self, position: int) -> bool:
        """Whether a mask leaves this character. A match no longer than `keep` leaves none."""
        is_mask = self.act.form == "mask" and self.end - self.start > self.act.keep
        return is_mask and position >= self.end - self.act.keep


class Reference:
    """Judges events by a policy, one after the other, and keeps what sessions need.

    Args:
        policy: A checked policy without errors.
        today: The day against which exemptions end.
        thresholds: The calibration for `at fpr …`; what is missing is unknown.
        token: Gives `as hash` and `as pseudonym` their text: a pure function.
    """

    def __init__(
        self,
        policy: CheckedPolicy,
        today: date,
        *,
        thresholds: Thresholds | None = None,
        token: Token = lambda form, label, text: f"[{label}]",
    ) -> None:
        self._policy = policy
        self._today = today
        self._thresholds = {k: v for k, v in (thresholds or {}).items() if 0 <= v <= 1}
        self._token = token
        self._rules = sorted((r for r in policy.rules if r.mode != "retired"), key=self._rank)
        self._sessions: dict[str, _Session] = {}

    def forget(self, session: str = "") -> None:
        """The session expired: its next event begins a new one."""
        self._sessions.pop(session, None)

    def judge(self, event: Event, session: str = "") -> Outcome:
        """The verdict on the next event of a session."""
        if event.surface == "conversation":
            raise ValueError("nothing happens on `conversation`: its rules follow every event")
        state = self._sessions.setdefault(session, _Session())
        if state.closed_by:
            said = state.closed_message
            return Outcome("block", said, {}, said, state.closed_by, session_closed=True)
        if event.surface == "input":
            state.turn += 1

        # Rules of one group are judged at the same moment: none sees what fires beside it.
        own = [rule for rule in self._rules if rule.judges(event.surface, event.tool)]
        judged = [self._judge_rule(rule, event, state) for rule in own]
        state.fired += [(state.turn, j.rule.name) for j in judged if j.standing == "fired"]
        later = [rule for rule in self._rules if rule.judges("conversation")]
        judged += [self._judge_rule(rule, event, state) for rule in later]
        state.firsts += self._firsts(event, state)

        judged.sort(key=lambda j: self._rank(j.rule))
        wishes = [(j.rule, act) for j in judged if j.standing == "fired" for act in j.acts]
        closing = [(r, act) for r, act in wishes if act.verb == "block" and act.for_session]
        if closing:
            state.closed_by = tuple(rule.name for rule, _ in closing)
            state.closed_message = self._message(*closing[0], event)
        return self._outcome(judged, wishes, event, state)

    def _rank(self, rule: Rule) -> tuple[int, int, str]:
        return self._policy.tier_rank(rule.tier), SEVERITIES.index(rule.severity), rule.name

    def _judge_rule(self, rule: Rule, event: Event, state: _Session) -> _Judged:
        truth = self._truth(rule.condition, event, state)
        if truth is Truth.NO:
            return _Judged(rule)
        acts: tuple[Act, ...] = (rule.action,) if truth is Truth.YES else ()
        # A rule may fire although a check that says *what* to rewrite could not say so. Such an
        # unknown changes what is delivered, so it reaches the rule like any other.
        is_unknown = truth is Truth.UNKNOWN or self._misses_matches(rule, event)
        acts += _on_error(rule) if is_unknown else ()
        if not acts:
            return _Judged(rule, is_unknown=True)
        is_exempt = self._is_exempt(rule, event, state)
        if rule.mode == "shadow":
            return _Judged(rule, "silent" if is_exempt else "shadow", acts, is_unknown)
        return _Judged(rule, "exempted" if is_exempt else "fired", acts, is_unknown)

    def _misses_matches(self, rule: Rule, event: Event) -> bool:
        placing = [c for c in positive_checks(rule.condition) if self._policy.check(c).spans]
        mute = any(self._answer(name, event) is None for name in placing)
        return mute and _rewrites_matches(rule.action)

    def _is_exempt(self, rule: Rule, event: Event, state: _Session) -> bool:
        """Whether an exemption in force holds; an unknown one does not."""
        granted = [e for e in self._policy.exemptions if e.rule == rule.name]
        return any(
            (until := values.parse_date(e.until)) is not None
            and self._today <= until
            and (e.condition is None or self._truth(e.condition, event, state) is Truth.YES)
            for e in granted
        )

    # --- conditions

    def _truth(self, condition: Cond, event: Event, state: _Session) -> Truth:
        match condition:
            case Asked(check):
                return self._asked(check, event)
            case Compared(check, op, bound):
                return self._compared(check, op, bound, event)
            case ComparedAtRate(check, measure, rate):
                threshold = self._thresholds.get((check, measure, rate))
                return self._compared(check, ">=", threshold, event)
            case Labelled(check, labels):
                answer = self._answer(check, event)
                return Truth.UNKNOWN if answer is None else _truth_of(answer.value in labels)
            case FieldTest():
                return _field(condition, event)
            case WindowCount(name, op, bound):
                return _truth_of(_RELATIONS[op](self._count(name, state), bound))
            case SequenceSeen(name):
                return self._sequence(name, event, state)
            case Not(inner):
                return ~self._truth(inner, event, state)
            case And(members):
                return _all(self._truth(member, event, state) for member in members)
            case Or(members):
                return _any(self._truth(member, event, state) for member in members)
            case AtLeast(count, members):
                return _at_least(count, [self._truth(member, event, state) for member in members])
            case CascadeCond(steps, otherwise):
                truth = _truth_of(otherwise)
                for step in reversed(steps):
                    decides = self._truth(step.condition, event, state)
                    truth = decides | truth if step.answer else ~decides & truth
                return truth

    def _answer(self, name: str, event: Event) -> Answer | None:
        """A check's answer; None when it gave none, or one that makes no sense."""
        answer = event.answers.get(name)
        return answer if answer and _makes_sense(answer, self._policy.check(name), event) else None

    def _asked(self, name: str, event: Event) -> Truth:
        answer = self._answer(name, event)
        return Truth.UNKNOWN if answer is None else _truth_of(answer.value is True)

    def _compared(self, name: str, op: str, bound: float | None, event: Event) -> Truth:
        answer = self._answer(name, event)
        if answer is None or bound is None or not _is_number(answer.value):
            return Truth.UNKNOWN
        return _truth_of(_RELATIONS[op](answer.value, bound))

    def _count(self, name: str, state: _Session) -> int:
        window = next(window for window in self._policy.windows if window.name == name)
        since = state.turn - window.turns
        return sum(1 for turn, rule in state.fired if turn > since and rule in window.counts)

    def _sequence(self, name: str, event: Event, state: _Session) -> Truth:
        """Whether this event is the sequence's `then` and some earlier one was its `first`."""
        sequence = next(s for s in self._policy.sequences if s.name == name)
        since = state.turn - sequence.turns
        happened = [truth for turn, s, truth in state.firsts if s == name and turn > since]
        return self._happens(sequence.then.on, sequence.then.where, event, state) & _any(happened)

    def _happens(self, on: On, where: Cond | None, event: Event, state: _Session) -> Truth:
        if on.surface != event.surface or (on.tools and event.tool not in on.tools):
            return Truth.NO
        return Truth.YES if where is None else self._truth(where, event, state)

    def _firsts(self, event: Event, state: _Session) -> list[tuple[int, str, Truth]]:
        """The sequences that this event begins or, if its condition is unknown, may begin."""
        found = [
            (state.turn, s.name, self._happens(s.first.on, s.first.where, event, state))
            for s in self._policy.sequences
        ]
        return [first for first in found if first[2] is not Truth.NO]

    # --- from the rules that fired to one outcome

    def _outcome(
        self, judged: Sequence[_Judged], wishes: Sequence[_Wish], event: Event, state: _Session
    ) -> Outcome:
        settled = self._settle(wishes, event)
        approved = [(rule, act) for rule, act in wishes if act.verb != "hold"]
        otherwise = _fallen_back(wishes, "hold", "revise")
        fired = [j.rule for j in judged if j.standing == "fired"]
        unknown = [j.rule for j in judged if j.is_unknown]
        asked = {check_of(atom) for rule in unknown for atom in atoms_of(rule.condition)}
        mute = [name for name in asked if name and self._answer(name, event) is None]

        def named(standing: str) -> tuple[str, ...]:
            return tuple(j.rule.name for j in judged if j.standing == standing)

        return Outcome(
            settled.action,
            settled.text,
            settled.rewritten,
            message=settled.text if settled.action == "block" else None,
            fired=named("fired"),
            exempted=named("exempted"),
            shadow=named("shadow"),
            unknown=tuple(rule.name for rule in unknown),
            unknown_checks=tuple(sorted(mute)),
            findings=tuple(f for rule in fired for f in self._findings(rule, event)),
            acts=tuple((rule.name, act) for rule, act in wishes),
            approved=self._settle(approved, event) if settled.action == "hold" else None,
            otherwise=self._settle(otherwise, event)
            if settled.action in ("hold", "revise")
            else None,
            session_closed=bool(state.closed_by),
        )

    def _settle(self, wishes: Sequence[_Wish], event: Event) -> Settled:
        """The join of what is wanted, and what may be delivered under it."""
        action = strongest([act.verb for _, act in wishes])
        if action == "block":
            rule, act = next((rule, act) for rule, act in wishes if act.verb == "block")
            return Settled(action, self._message(rule, act, event))
        if action == "hold":
            return Settled(action, HELD)
        if action == "revise":
            return replace(self._settle(_fallen_back(wishes, "revise"), event), action="revise")
        if action == "rewrite":
            return self._rewritten(wishes, event)
        return Settled(action, event.text)

    def _message(self, rule: Rule, act: Act, event: Event) -> str:
        return BLOCKED if act.text is None else _fill(act.text, self._label(rule, event), rule)

    def _label(self, rule: Rule, event: Event) -> str:
        """`{label}` where no single match is meant: the rule's first match, else its first check
        that says yes, else the rule itself."""
        found = self._findings(rule, event)
        if found:
            return found[0].span.label
        yes = [c for c in positive_checks(rule.condition) if self._asked(c, event) is Truth.YES]
        return self._policy.check(min(yes)).label.upper() if yes else rule.name.upper()

    # --- rewriting

    def _findings(self, rule: Rule, event: Event) -> list[Finding]:
        """The matches of every positive check of the condition that says yes, needed or not."""
        found: set[Finding] = set()
        for name in positive_checks(rule.condition):
            if self._asked(name, event) is Truth.YES:
                for span in event.answers[name].spans:
                    label = (span.label or self._policy.check(name).label).upper()
                    found.add(Finding(rule.name, name, replace(span, label=label)))
        return sorted(
            found, key=lambda f: (f.span.pointer, f.span.start, -f.span.end, f.span.label, f.check)
        )

    def _rewritten(self, wishes: Sequence[_Wish], event: Event) -> Settled:
        texts = _texts(event)
        marks: dict[str, list[_Mark]] = {place: [] for place in texts}
        for rule, act in wishes:
            if act.verb == "rewrite" and act.whole:
                label = self._label(rule, event)
                for place, text in texts.items():
                    marks[place].append(_Mark(0, len(text), label, rule, act))
            elif act.verb == "rewrite":
                for s in (found.span for found in self._findings(rule, event)):
                    marks[s.pointer].append(_Mark(s.start, s.end, s.label, rule, act))
        done = {place: self._replace(text, marks[place]) for place, text in texts.items()}
        changed = {place: text for place, text in done.items() if place and text != texts[place]}
        return Settled("rewrite", done[""], changed)

    def _replace(self, text: str, marks: Iterable[_Mark]) -> str:
        """`text` with each group of overlapping marks replaced as its highest mark wants."""
        groups: list[list[_Mark]] = []
        end = 0
        for mark in sorted(marks, key=lambda mark: (mark.start, mark.end)):
            if groups and (mark.start < end or mark.start == groups[-1][0].start):
                groups[-1].append(mark)
            else:
                groups.append([mark])
            end = max(end, mark.end)
        done, at = "", 0
        for group in groups:
            start, end = group[0].start, max(mark.end for mark in group)
            done += text[at:start] + self._replacement(text, start, end, group)
            at = end
        return done + text[at:]

    def _replacement(self, text: str, start: int, end: int, group: Sequence[_Mark]) -> str:
        def rank(mark: _Mark) -> tuple[object, ...]:
            tier, severity, name = self._rank(mark.rule)
            return tier, severity, mark.start, name, -mark.end, mark.label

        winner = min(group, key=rank)
        match winner.act.form:
            case "mask":
                # A character stays only if every rule that matched it would leave it.
                return "".join(
                    text[i] if all(m.keeps(i) for m in group if m.start <= i < m.end) else "*"
                    for i in range(start, end)
                )
            case "hash" | "pseudonym" as form:
                return self._token(form, winner.label, text[start:end])
            case _:
                return _fill(winner.act.text or "", winner.label, winner.rule)


def _rewrites_matches(act: Act) -> bool:
    """Whether an action, or what it falls back on, rewrites the matches."""
    if act.otherwise is not None and _rewrites_matches(act.otherwise):
        return True
    return act.verb == "rewrite" and not act.whole


def _on_error(rule: Rule) -> tuple[Act, ...]:
    """What a rule does when it cannot tell. It closes no session and knows no matches."""
    act = rule.action
    match rule.on_error:
        case "pass":
            return ()
        case "hold" if act.verb == "hold":
            is_safe = act.otherwise is not None and not _rewrites_matches(act.otherwise)
            return (act if is_safe else replace(act, otherwise=Act("block")),)
        case "hold":
            return (Act("hold", otherwise=Act("block")),)
        case verb:
            return (Act(verb, text=act.text if act.verb == verb else None),)


def _fallen_back(wishes: Sequence[_Wish], *verbs: Action) -> list[_Wish]:
    """The same wishes, with the `else` in place of every action of these verbs."""
    block = Act("block")
    return [(r, (act.otherwise or block) if act.verb in verbs else act) for r, act in wishes]


def _fill(text: str, label: str, rule: Rule) -> str:
    words = {"label": label, "rule": rule.name}
    return re.sub(r"\{(label|rule)\}", lambda found: words[found[1]], text)


def _truth_of(claim: bool) -> Truth:
    return Truth.YES if claim else Truth.NO


def _all(truths: Iterable[Truth]) -> Truth:
    return reduce(and_, truths, Truth.YES)


def _any(truths: Iterable[Truth]) -> Truth:
    return reduce(or_, truths, Truth.NO)


def _at_least(count: int, truths: Sequence[Truth]) -> Truth:
    if truths.count(Truth.YES) >= count:
        return Truth.YES
    return Truth.UNKNOWN if len(truths) - truths.count(Truth.NO) >= count else Truth.NO


_RELATIONS: dict[str, Callable[..., bool]] = (
    {"==": eq, "in": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
)  # fmt: skip
_PARSE: dict[str, Callable[[str], object]] = (
    {"date": values.parse_date, "duration": values.parse_duration, "money": values.parse_money}
)  # fmt: skip


def _is_number(value: object) -> TypeGuard[float]:
    """A finite number; `yes` and `no` are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _makes_sense(answer: Answer, check: Check, event: Event) -> bool:
    value = answer.value
    match check.answers:
        case "answer":
            texts = _texts(event)
            spans_fit = all(
                0 <= s.start < s.end <= len(texts.get(s.pointer, "")) for s in answer.spans
            )
            return value is False or (value is True and spans_fit)
        case "score":
            return _is_number(value) and 0 <= value <= 1
        case "number":
            return _is_number(value)
        case "label":
            return isinstance(value, str) and (not check.labels or value in check.labels)


def _texts(event: Event) -> dict[str, str]:
    """The text of an event, and every string value of its arguments by JSON pointer."""
    return {"": event.text, **dict(_strings(event.arguments or {}, ""))}


def _strings(value: object, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            yield from _strings(inner, f"{pointer}/{escaped}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{pointer}/{index}")


def _field(test: FieldTest, event: Event) -> Truth:
    if test.op in ("!=", "not in"):
        return ~_field(replace(test, op="in"), event)
    root = event.context if test.root == "context" else event.arguments
    path = test.path[:-1] if test.type == "domain" else test.path  # `.domain` is a reading
    return _field_at(root, path, test)


def _field_at(value: object, path: Sequence[str], test: FieldTest) -> Truth:
    """Whether what the path leads to from here is equal, is in, or stands in the order asked."""
    is_order = test.op not in ("==", "in")
    if value is None or value == [] or value == ():
        return Truth.UNKNOWN if is_order else Truth.NO  # absent
    if isinstance(value, list | tuple):
        # Of several things all have to be in; they have no one order.
        return Truth.UNKNOWN if is_order else _all(_field_at(v, path, test) for v in value)
    if path:
        # A thing without fields is not the thing that the policy speaks of.
        if not isinstance(value, Mapping):
            return Truth.UNKNOWN
        return _field_at(value.get(path[0]), path[1:], test)
    return _any(_related(value, wanted, test) for wanted in test.values)


def _related(value: object, wanted: object, test: FieldTest) -> Truth:
    """One value against one bound; what cannot be compared is unknown."""
    if test.type == "domain":
        host = values.host_of(value) if isinstance(value, str) else None
        return (
            Truth.UNKNOWN if host is None else _truth_of(values.domain_matches(host, str(wanted)))
        )
    left, right = _read(value, test.type), _read(wanted, test.type)
    if left is None or right is None:
        return Truth.UNKNOWN
    if isinstance(left, values.Money) and isinstance(right, values.Money):
        sign = values.compare_money(left, right)
        return Truth.UNKNOWN if sign is None else _truth_of(_RELATIONS[test.op](sign, 0))
    return _truth_of(_RELATIONS[test.op](left, right))


def _read(value: object, type: str) -> object:
    """A value as the type that the policy reads it with; None where it is no such thing."""
    if type in _PARSE and isinstance(value, str):
        return _PARSE[type](value)
    if type in ("number", "duration"):  # a duration in milliseconds
        return value if _is_number(value) else None
    return value if isinstance(value, bool if type == "answer" else str) else None
