"""Conditions: every name resolved, every comparison typed; a score is never an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardkit.diagnostics import Edit, Fix, Label, Place, did_you_mean
from guardkit.syntax import ast

from ._event_fields import Setting, boolean_word, field_test
from ._policy import (
    And,
    Asked,
    AtLeast,
    CascadeCond,
    CascadeStep,
    Check,
    ComparedAtRate,
    Cond,
    Labelled,
    Not,
    Or,
    SequenceSeen,
    WindowCount,
)
from ._scope import Scope
from ._scores import is_calibrated, number_of, score_test

MEASURES = ("fpr",)
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def resolve(
    scope: Scope, node: ast.Condition, setting: Setting, gated: bool = False
) -> Cond | None:
    """One condition with all names resolved; None (and diagnostics) where it means nothing.

    `gated` is true behind a cheaper cascade step: only there may a judge be asked.
    """
    place = scope.place(node)
    if _asks_broken(scope, node):
        return None
    match node:
        case ast.AllOf(members=members):
            found = _each(scope, members, setting, gated)
            return And(found, place) if found else None
        case ast.AnyOf(members=members):
            found = _each(scope, members, setting, gated)
            return Or(found, place) if found else None
        case ast.Negation(inner=inner):
            one = resolve(scope, inner, setting, gated)
            return Not(one, place) if one else None
        case ast.Quorum():
            return _quorum(scope, node, setting, gated)
        case ast.Cascade():
            return _cascade(scope, node, setting, gated)
        case ast.Comparison():
            return _comparison(scope, node, setting, gated)
        case ast.Membership():
            return _membership(scope, node, setting, gated)
        case ast.AtRate():
            return _at_rate(scope, node, setting, gated)
        case ast.Seen(name=name):
            return _seen(scope, node, name, setting)
        case ast.Ref():
            return _bare(scope, node, setting, gated)
        case _:
            scope.error(
                "constant-condition",
                node,
                f"`{scope.source.slice(node.span)}` judges nothing",
                help="a condition asks a check or compares something with a value",
            )
            return None


def _asks_broken(scope: Scope, node: ast.Condition) -> bool:
    """Whether one side is a name whose own mistake is reported already."""
    match node:
        case ast.Comparison(left=left, right=right) | ast.Membership(left=left, right=right):
            sides = [left, right]
        case ast.AtRate(score=score):
            sides = [score]
        case ast.Ref():
            sides = [node]
        case _:
            return False
    return any(isinstance(side, ast.Ref) and scope.is_broken(side) for side in sides)


def _each(
    scope: Scope, members: Sequence[ast.Condition], setting: Setting, gated: bool
) -> tuple[Cond, ...] | None:
    found = [resolve(scope, member, setting, gated) for member in members]
    return None if None in found else tuple(one for one in found if one is not None)


# --- quorums and cascades


def _quorum(scope: Scope, node: ast.Quorum, setting: Setting, gated: bool) -> Cond | None:
    found = _each(scope, node.members, setting, gated)
    place = scope.place(node)
    size = len(node.members)
    if isinstance(node.count, ast.Name):
        if found is None:
            return None
        if node.count.text == "none":
            return Not(AtLeast(1, found, place), place)
        return AtLeast(1 if node.count.text == "any" else size, found, place)
    count = int(node.count.value)
    if not 1 <= count <= size:
        scope.error(
            "quorum-size",
            node.count,
            f"{count} of {size} can never {'fail' if count < 1 else 'be met'}",
            help=f"write a number from 1 to {size}"
            + (", or `none of` where no member may hold" if count < 1 else ""),
        )
        return None
    if found and size == 1:
        scope.error(
            "trivial-quorum",
            node.count,
            "a quorum of one is its only member",
            help="write the condition without `1 of (…)`",
        )
    elif found and count in (1, size):
        word = "any" if count == 1 else "all"
        scope.error(
            "trivial-quorum",
            node.count,
            f"{count} of {size} is `{word} of`",
            fix=Fix(f"write `{word}`", (Edit(scope.place(node.count), word),)),
        )
    return AtLeast(count, found, place) if found else None


def _cascade(scope: Scope, node: ast.Cascade, setting: Setting, gated: bool) -> Cond | None:
    steps: list[CascadeStep] = []
    for number, step in enumerate(node.steps):
        found = resolve(scope, step.condition, setting, gated or number > 0)
        if found:
            steps.append(CascadeStep(step.answer, found, scope.place(step)))
    if len(steps) < len(node.steps):
        return None
    return CascadeCond(tuple(steps), node.otherwise, scope.place(node))


# --- names


def _find(scope: Scope, ref: ast.Ref, setting: Setting, gated: bool) -> Check | None:
    """The check of a name, fit to be asked here; None and a diagnostic otherwise."""
    check = scope.find_check(ref)
    if check is None:
        if not scope.is_broken(ref):
            _unknown(scope, ref)
        return None
    if setting.fields_only:
        _not_about_fields(scope, ref, setting)
        return None
    if setting.is_conversation:
        scope.error(
            "check-on-conversation",
            ref,
            "a conversation rule has no text to check",
            help="count the outcomes of other rules with a `window`",
        )
        return None
    spec = scope.catalog.specs[check.kind]
    missing = [s for s in setting.surfaces if s not in spec.surfaces and s != "conversation"]
    if missing:
        scope.error(
            "wrong-surface",
            ref,
            f"a `{check.kind}` check cannot judge `{missing[0]}`",
            labels=(Label(check.place, "the check"),),
            help="it judges " + ", ".join(f"`{s}`" for s in spec.surfaces),
        )
        return None
    if spec.needs_gate and not gated:
        scope.error(
            "judge-without-gate",
            ref,
            f"a `{check.kind}` check needs a cheaper step before it",
            help="put it into a cascade, after a step that decides most texts",
        )
        return None
    return check


def _not_about_fields(scope: Scope, ref: ast.Ref, setting: Setting) -> None:
    scope.error(
        "wrong-surface",
        ref,
        f"{setting.what} is about who and where, not about the text",
        help="compare a field of `context`, such as `context.environment`",
    )


def _unknown(scope: Scope, ref: ast.Ref) -> None:
    """Say what an unknown name could have been meant for."""
    name = ref.dotted
    head = ref.parts[0]
    if boolean_word(scope, ref):
        return
    module = scope.modules.get(head)
    if module is not None and len(ref.parts) == 1:
        known = [f"{head}.{inner}" for inner in module.checks]
        scope.error(
            "unknown-check",
            ref,
            f"`{head}` is a module, not a check",
            help=f"ask one of its checks: {listed(known)}" if known else "it has no checks",
        )
        return
    if module is not None:
        inner = ".".join(ref.parts[1:])
        scope.error(
            "unknown-check",
            ref,
            f"the module `{head}` has no check `{inner}`",
            help=did_you_mean(name, scope.check_names())
            or f"it has {listed(f'{head}.{known}' for known in module.checks)}",
        )
        return
    if name in scope.rule_blocks:
        scope.error(
            "unknown-check",
            ref,
            f"`{name}` is a rule, not a check",
            help="count rules with a `window`; share conditions by declaring checks",
        )
        return
    known = scope.check_names()
    help = did_you_mean(name, [*known, *scope.params, *scope.windows])
    if not help and len(ref.parts) > 1:
        help = (f"no module is called `{head}`: `use … as {head}` brings its checks",)
    elif not help:
        help = (f"checks here are {listed(known)}" if known else "this file declares no checks",)
    scope.error("unknown-check", ref, f"no check is called `{name}`", help=help)


def listed(names: Iterable[str]) -> str:
    """The first few of many names, for a help line."""
    found = [f"`{name}`" for name in names]
    return ", ".join(found[:8]) + (", …" if len(found) > 8 else "")


def _bare(scope: Scope, ref: ast.Ref, setting: Setting, gated: bool) -> Cond | None:
    """A name that stands alone must be a yes/no check."""
    place = scope.place(ref)
    if ref.parts[0] in ("context", "call") and len(ref.parts) > 1:
        scope.error(
            "score-as-answer",
            ref,
            f"`{ref.dotted}` is a value, not an answer",
            help=f"compare it: `{ref.dotted} == yes`",
        )
        return None
    if ref.dotted in scope.params:
        scope.error(
            "constant-condition",
            ref,
            f"`{ref.dotted}` is a parameter and judges nothing",
            help="compare a check or a field of the event with it",
        )
        return None
    if ref.dotted in scope.windows:
        scope.error(
            "score-as-answer",
            ref,
            f"`{ref.dotted}` is a count, not an answer",
            help=f"compare it: `{ref.dotted} >= 3`",
        )
        return None
    check = _find(scope, ref, setting, gated)
    if check is None:
        return None
    if check.answers == "answer":
        return Asked(check.name, place)
    slug = "label-as-answer" if check.answers == "label" else "score-as-answer"
    example = {
        "score": f"{ref.dotted} >= 0.80",
        "number": f"{ref.dotted} >= 3",
        "label": f'{ref.dotted} == "{check.labels[0] if check.labels else "…"}"',
    }[check.answers]
    scope.error(
        slug,
        ref,
        f"`{ref.dotted}` gives a {check.answers}, not yes or no",
        labels=(Label(check.place, f"a `{check.kind}` check"),),
        help=f"compare it: `{example}`",
    )
    return None


# --- comparisons


def _is_subject(scope: Scope, value: ast.Value) -> bool:
    return isinstance(value, ast.Ref) and value.dotted not in scope.params


def _comparison(scope: Scope, node: ast.Comparison, setting: Setting, gated: bool) -> Cond | None:
    left, op, right = node.left, node.op, node.right
    if not _is_subject(scope, left) and _is_subject(scope, right):
        left, right, op = right, left, _FLIPPED[op]
    if not isinstance(left, ast.Ref) or not _is_subject(scope, left):
        scope.error(
            "constant-condition",
            node,
            "both sides are values, so this judges nothing",
            help="compare a check or a field with a value",
        )
        return None
    if isinstance(right, ast.Ref) and _is_subject(scope, right):
        if boolean_word(scope, right):
            return None
        if len(right.parts) == 1 and not (
            right.dotted in scope.windows or scope.find_check(right) is not None
        ):
            scope.error(
                "unknown-name",
                right,
                f"`{right.dotted}` stands for nothing here",
                help=did_you_mean(right.dotted, scope.params) or "a text stands in double quotes",
                fix=Fix(
                    "put it in quotes",
                    (Edit(scope.place(right), f'"{right.dotted}"'),),
                    safe=False,
                ),
            )
            return None
        scope.error(
            "type-mismatch",
            right,
            "two things that are only known at run time cannot be compared",
            help="compare each with a value, and join them with `and`",
        )
        return None
    place = scope.place(node)
    if left.parts[0] in ("context", "call") and len(left.parts) > 1:
        return field_test(scope, left, op, (right,), setting, place)
    if left.dotted in scope.windows:
        return _window(scope, left, op, right, setting, place)
    check = _find(scope, left, setting, gated)
    if check is None:
        return None
    match check.answers:
        case "score" | "number":
            return score_test(scope, check, left, op, right, place)
        case "label":
            if op not in ("==", "!="):
                scope.error(
                    "wrong-operator",
                    node,
                    f"`{left.dotted}` gives a label: compare with `==`",
                    help=f'write `{left.dotted} == "{check.labels[0] if check.labels else "…"}"`',
                )
                return None
            labels = _labels(scope, check, (right,))
            asked = Labelled(check.name, labels, place) if labels else None
            return Not(asked, place) if asked and op == "!=" else asked
        case _:
            scope.error(
                "answer-as-score",
                left,
                f"`{left.dotted}` answers yes or no; it has no score",
                labels=(Label(check.place, f"a `{check.kind}` check"),),
                help=f"write `{left.dotted}` alone, or `not {left.dotted}`",
                fix=_asked_alone(left, op, right, place),
            )
            return None


def _asked_alone(left: ast.Ref, op: str, right: ast.Value, place: Place) -> Fix | None:
    """`x == yes` is `x`."""
    if not (isinstance(right, ast.Literal) and right.kind == "answer" and op in ("==", "!=")):
        return None
    same = (right.value is True) == (op == "==")
    text = left.dotted if same else f"not {left.dotted}"
    return Fix("ask it alone", (Edit(place, text),), safe=same)  # it may stand behind a `not`


def _labels(scope: Scope, check: Check, written: Sequence[ast.Value]) -> tuple[str, ...]:
    found: list[str] = []
    for value in written:
        if not (isinstance(value, ast.Literal) and value.kind == "text"):
            scope.error("type-mismatch", value, "a label is a text in double quotes")
            return ()
        label = str(value.value)
        if check.labels and label not in check.labels:
            scope.error(
                "unknown-label",
                value,
                f"`{check.name}` never gives the label `{label}`",
                labels=(Label(check.place, "the check"),),
                help=did_you_mean(label, check.labels)
                or "labels are " + ", ".join(f"`{known}`" for known in check.labels),
            )
            return ()
        found.append(label)
    return tuple(sorted(set(found)))


def _at_rate(scope: Scope, node: ast.AtRate, setting: Setting, gated: bool) -> Cond | None:
    if not isinstance(node.score, ast.Ref):
        scope.error("constant-condition", node, "only a score has a rate")
        return None
    check = _find(scope, node.score, setting, gated)
    if check is None:
        return None
    if check.answers != "score":
        scope.error(
            "answer-as-score",
            node.score,
            f"`{node.score.dotted}` has no score to calibrate",
            labels=(Label(check.place, f"a `{check.kind}` check"),),
            help="ask it alone"
            if check.answers == "answer"
            else "only checks that give a score have rates",
        )
        return None
    if node.measure.text not in MEASURES:
        scope.error(
            "unknown-choice",
            node.measure,
            f"`{node.measure.text}` is not a rate of a calibration table",
            help="write `at fpr 0.5%`: the threshold with that share of false alarms",
        )
        return None
    rate = float(node.rate.value)
    if not 0 < rate < 1:
        scope.error("out-of-range", node.rate, "a rate lies between 0% and 100%")
        return None
    if not is_calibrated(scope, node, node.score, check):
        return None
    return ComparedAtRate(check.name, node.measure.text, rate, scope.place(node))


def _window(
    scope: Scope, left: ast.Ref, op: str, right: ast.Value, setting: Setting, place: Place
) -> Cond | None:
    scope.use("window", left.dotted)
    if setting.fields_only:
        _not_about_fields(scope, left, setting)
        return None
    if not setting.is_conversation:
        scope.error(
            "window-off-conversation",
            left,
            f"the window `{left.dotted}` counts this event too, so only a conversation rule "
            "may ask it",
            help="write `on conversation`"
            if setting.what == "a rule"
            else "ask it in a rule `on conversation`",
        )
        return None
    bound = number_of(scope, right, is_score=False)
    if bound is None:
        return None
    if bound != int(bound) or bound < 0:
        scope.error("type-mismatch", right, "a count is a whole number")
        return None
    if op == "!=":
        return Not(WindowCount(left.dotted, "==", int(bound), place), place)
    return WindowCount(left.dotted, op, int(bound), place)


def _seen(scope: Scope, node: ast.Seen, name: ast.Name, setting: Setting) -> Cond | None:
    if name.text not in scope.sequences:
        if name.text not in scope.broken:
            scope.error(
                "unknown-sequence",
                name,
                f"no sequence is called `{name.text}`",
                help=did_you_mean(name.text, scope.sequences)
                or (
                    f"sequences here are {listed(scope.sequences)}"
                    if scope.sequences
                    else f"declare it: `sequence {name.text} {{ first … then … within 10 turns }}`"
                ),
            )
        return None
    scope.use("sequence", name.text)
    if setting.fields_only or setting.is_conversation:
        scope.error(
            "wrong-surface",
            node,
            f"{setting.what} cannot ask a sequence",
            help="ask it in a rule on the surface of its `then` event",
        )
        return None
    if not _completes_here(scope, node, scope.sequences[name.text], setting):
        return None
    return SequenceSeen(name.text, scope.place(node))


def _completes_here(scope: Scope, node: ast.Seen, block: ast.Block, setting: Setting) -> bool:
    """Whether the second event of a sequence is one this condition is asked about."""
    then = next((c.values[0] for c in block.clauses if c.word == "then"), None)
    if not isinstance(then, ast.Event) or not setting.on:
        return True
    surface = then.target.surface.text
    tools = {".".join(ref.parts[1:]) for ref in then.target.tools}
    for on in setting.on:
        wrong: str = on.surface
        right = surface
        if wrong == surface:
            if not tools or not on.tools or tools & set(on.tools):
                continue
            wrong, right = on.tools[0], min(tools)
        scope.error(
            "wrong-surface",
            node,
            f"`{node.name.text}` completes on `{right}`, so it is never seen on `{wrong}`",
            labels=(Label(scope.place(then), "the event that completes it"),),
            help=f"ask it on `{right}` only",
        )
        return False
    return True


def _membership(scope: Scope, node: ast.Membership, setting: Setting, gated: bool) -> Cond | None:
    left = node.left
    if not isinstance(left, ast.Ref) or not _is_subject(scope, left):
        scope.error(
            "constant-condition",
            left,
            "only a field or a label can be in a list",
            help='compare what the event brings, such as `context.channel in ["web", "app"]`',
        )
        return None
    place = scope.place(node)
    values: tuple[ast.Value, ...]
    if isinstance(node.right, ast.ListOf) and not node.right.items:
        scope.error(
            "type-mismatch", node.right, "the list is empty", help="nothing is in an empty list"
        )
        return None
    if isinstance(node.right, ast.ListOf):
        values = node.right.items
    elif isinstance(node.right, ast.Ref) and node.right.dotted in scope.params:
        values = (node.right,)
    else:
        scope.error(
            "type-mismatch",
            node.right,
            "`in` needs a list",
            help=f"write `[{scope.source.slice(node.right.span)}]`",
        )
        return None
    if left.parts[0] in ("context", "call") and len(left.parts) > 1:
        op = "not in" if node.negated else "in"
        return field_test(scope, left, op, values, setting, place)
    check = _find(scope, left, setting, gated)
    if check is None:
        return None
    if check.answers != "label":
        scope.error(
            "type-mismatch",
            left,
            f"`{left.dotted}` "
            + ("answers yes or no" if check.answers == "answer" else f"gives a {check.answers}")
            + ", which cannot be in a list",
            labels=(Label(check.place, f"a `{check.kind}` check"),),
            help=f"write `{left.dotted}` alone"
            if check.answers == "answer"
            else "compare it with a number",
        )
        return None
    labels = _labels(scope, check, values)
    asked = Labelled(check.name, labels, place) if labels else None
    return Not(asked, place) if asked and node.negated else asked
