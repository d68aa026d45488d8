"""Scores and numbers: what they may be compared with, and whose thresholds a table gives."""

from __future__ import annotations

from guardkit.diagnostics import Label, Place
from guardkit.syntax import ast

from ._policy import Check, Compared, Cond, Not
from ._scope import ParamValue, Scope
from ._values import as_share


def score_test(
    scope: Scope, check: Check, left: ast.Ref, op: str, right: ast.Value, place: Place
) -> Cond | None:
    bound = number_of(scope, right, is_score=check.answers == "score")
    if bound is None:
        return None
    if check.answers == "number":
        base = "==" if op == "!=" else op
        compared = Compared(check.name, base, bound, place)
        return Not(compared, place) if op == "!=" else compared
    if op in ("==", "!="):
        scope.error(
            "wrong-operator",
            place,
            "a score is compared with `>=` or `<`",
            help="two scores are almost never equal",
        )
        return None
    if not 0 <= bound <= 1:
        shown = scope.source.slice(right.span)
        said = (
            f"is {bound:g}, outside 0 to 1" if isinstance(right, ast.Ref) else "is outside 0 to 1"
        )
        scope.error(
            "threshold-range",
            right,
            f"the threshold `{shown}` {said}",
            labels=(Label(scope.params[right.dotted].place, "the parameter"),)
            if isinstance(right, ast.Ref)
            else (),
            help="declare it as a `score`, with a value from 0 to 1"
            if isinstance(right, ast.Ref)
            else as_share(right),
        )
        return None
    if (bound == 0 and op in (">=", "<")) or (bound == 1 and op in (">", "<=")):
        always = op in (">=", "<=")
        scope.error(
            "trivial-threshold",
            place,
            f"{'every' if always else 'no'} score is `{op} {bound:g}`",
            help="compare with a number between 0 and 1, or remove the comparison",
        )
    elif op in (">", "<="):
        better = ">=" if op == ">" else "<"
        scope.error(
            "score-operator",
            place,
            f"a score is compared with `{op}`",
            help=f"write `{better}`, so that bands meet without gap or overlap",
        )
    return Compared(check.name, op, bound, place)


def number_of(scope: Scope, value: ast.Value, *, is_score: bool) -> float | None:
    if isinstance(value, ast.Ref):
        param = scope.params[value.dotted]
        scope.use("param", param.name)
        wants = ("score", "number") if is_score else ("number",)
        if param.is_list or param.type not in wants:
            _mismatch(scope, value, "a number", param)
            return None
        return float(str(param.value)) if param.value is not None else None
    if isinstance(value, ast.Literal) and value.kind == "number":
        return float(value.value)
    if isinstance(value, ast.Literal) and value.kind == "percent" and is_score:
        return float(value.value)
    scope.error(
        "type-mismatch",
        value,
        f"`{scope.source.slice(value.span)}` is not a number",
        help="scores are compared with numbers from 0 to 1" if is_score else (),
    )
    return None


def _mismatch(scope: Scope, node: ast.Ref, wants: str, param: ParamValue) -> None:
    kind = f"list of {param.type}" if param.is_list else param.type
    scope.error(
        "type-mismatch",
        node,
        f"`{node.dotted}` is a {kind}; expected {wants}",
        labels=(Label(param.place, "the parameter"),),
    )


def is_calibrated(scope: Scope, node: ast.AtRate, ref: ast.Ref, check: Check) -> bool:
    """Whether some table says which threshold a rate stands for: a shipped model has one."""
    spec = scope.catalog.specs[check.kind]
    label = (Label(check.place, f"a `{check.kind}` check"),)
    if spec.property("calibration") is None:
        scope.error(
            "wrong-operator",
            node,
            f"`at {node.measure.text}` needs a calibration table, "
            f"and a `{check.kind}` check has none",
            labels=label,
            help=f"compare the score itself: `{ref.dotted} >= 0.80`",
        )
        return False
    model = spec.property("model")
    is_own = model is not None and check.get("model") not in (None, *model.choices)
    if is_own and check.get("calibration") is None:
        scope.error(
            "missing-property",
            node,
            f"`at {node.measure.text}` needs a calibration table, and `{ref.dotted}` has none",
            labels=label,
            help='add `calibration "FILE"` to the check, or compare the score itself',
        )
        return False
    return True
