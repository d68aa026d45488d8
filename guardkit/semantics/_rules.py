"""Rules: authority, surfaces, conditions, actions. What a tier may not do no rule of it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from guardkit.diagnostics import Label, Place, Span, did_you_mean, nearest
from guardkit.syntax import ast
from guardkit.types import ACTIONS, SEVERITIES, STRENGTH, SURFACES, Action, Severity, Surface

from ._clauses import Clauses
from ._conditions import resolve
from ._event_fields import Setting
from ._policy import Act, And, Cond, Mode, Not, On, OnError, Rule, Tier, positive_checks
from ._refs import Ref as KnownRef
from ._refs import parse_ref
from ._scope import Scope
from ._tools import all_tools, find_tool

DEFAULT_TIERS = (
    Tier("safety", ACTIONS[1:], "block"),
    Tier("ethics", ACTIONS[1:], "hold"),
    Tier("guidelines", ACTIONS[1:], "flag"),
    Tier("helpfulness", ("flag",), "pass"),
)
ON_ERROR: tuple[OnError, ...] = ("block", "hold", "flag", "pass")
MODES: tuple[Mode, ...] = ("enforce", "shadow", "retired")
MAX_ROUNDS = 5
MAX_HOLD_MS = 7 * 86_400_000
MAX_REVISE_MS = 600_000
_PLACEHOLDER = re.compile(r"(?<!\\u)\{([A-Za-z_][\w.]*)\}")


# --- tiers


def read_tiers(scope: Scope) -> tuple[Tier, ...]:
    """The chain of authority: declared or the default one, narrowed by `tier` declarations."""
    chain = list(DEFAULT_TIERS)
    known = {tier.name: tier for tier in DEFAULT_TIERS}
    declared = [d for d in scope.file.declarations if isinstance(d, ast.Tiers)]
    for extra in declared[1:]:
        scope.error(
            "duplicate-declaration",
            extra,
            "`tiers` is declared twice",
            labels=(Label(scope.place(declared[0]), "declared here first"),),
            help="name the whole chain once",
        )
    if declared:
        chain = []
        for name in declared[0].names:
            if any(tier.name == name.text for tier in chain):
                first = next(n for n in declared[0].names if n.text == name.text)
                scope.error(
                    "duplicate-name",
                    name,
                    f"the tier `{name.text}` is named twice",
                    labels=(Label(scope.place(first), "named here first"),),
                )
                continue
            chain.append(known.get(name.text, Tier(name.text, ACTIONS[1:], "block")))
        _helpfulness_last(scope, declared[0])
    narrowed: dict[str, ast.Tier] = {}
    for node in scope.file.declarations:
        if isinstance(node, ast.Tier):
            _narrow(scope, node, chain, narrowed)
    if declared:
        for name in declared[0].names:
            if name.text not in known and name.text not in narrowed:
                scope.error(
                    "on-error-missing",
                    name,
                    f"the tier `{name.text}` does not say what an error means",
                    help=f"add `tier {name.text} on_error block`",
                )
    return tuple(chain)


def _helpfulness_last(scope: Scope, node: ast.Tiers) -> None:
    """A tier above others may lift their rules, and `helpfulness` weakens no tier."""
    names = [name.text for name in node.names]
    if "helpfulness" not in names[:-1]:
        return
    place = names.index("helpfulness")
    scope.error(
        "tier-widened",
        node.names[place],
        f"`helpfulness` stands above `{names[place + 1]}`",
        help="put it last: it records over-refusal and lifts no rule of another tier",
    )


def _narrow(scope: Scope, node: ast.Tier, chain: list[Tier], narrowed: dict[str, ast.Tier]) -> None:
    name = node.name.text
    index = next((i for i, tier in enumerate(chain) if tier.name == name), None)
    if index is None:
        _unknown_tier(scope, node.name, chain)
        return
    if name in narrowed:
        scope.error(
            "duplicate-declaration",
            node,
            f"the tier `{name}` is narrowed twice",
            labels=(Label(scope.place(narrowed[name]), "narrowed here first"),),
            help="say both in one declaration",
        )
        return
    narrowed[name] = node
    tier = chain[index]
    may = tier.may
    if node.may:
        for verb in node.may:
            if verb.text not in tier.may:
                scope.error(
                    "tier-widened",
                    verb,
                    f"`{name}` may not `{verb.text}`",
                    help="`tier` narrows what a tier may do: "
                    + ", ".join(f"`{action}`" for action in tier.may),
                )
        written = {verb.text for verb in node.may}
        may = tuple(action for action in tier.may if action in written)
    on_error = tier.on_error
    if node.on_error is not None:
        if node.on_error.text not in ON_ERROR:
            _bad_on_error(scope, node.on_error)
            return
        on_error = node.on_error.text
        if on_error != "pass" and on_error not in may:
            scope.error(
                "tier-may-not",
                node.on_error,
                f"`{name}` may not `{on_error}`, not even on an error",
                help="name an action the tier may take",
            )
    elif on_error != "pass" and on_error not in may:
        scope.error(
            "on-error-missing",
            node,
            f"`{name}` may no longer `{on_error}`, which is its answer to an error",
            help="say what an error means: `on_error flag`",
        )
    chain[index] = Tier(name, may, on_error)


def _bad_on_error(scope: Scope, node: ast.Name) -> None:
    scope.error(
        "tier-may-not",
        node,
        f"`{node.text}` is no answer to an error: nothing was found to {node.text}",
        help="write `on_error block`, `hold`, `flag` or `pass`",
    )


def _unknown_tier(scope: Scope, name: ast.Name, chain: Sequence[Tier]) -> None:
    known = [tier.name for tier in chain]
    scope.error(
        "unknown-tier",
        name,
        f"no tier is called `{name.text}`",
        help=did_you_mean(name.text, known) or "tiers are " + ", ".join(f"`{t}`" for t in known),
    )


def find_tier(scope: Scope, clauses: Clauses) -> Tier | None:
    name = clauses.name("tier")
    if name is None:
        return None
    tier = next((tier for tier in scope.tiers if tier.name == name.text), None)
    if tier is None:
        _unknown_tier(scope, name, scope.tiers)
    return tier


# --- surfaces


def read_targets(scope: Scope, targets: Iterable[ast.Target]) -> tuple[On, ...] | None:
    """Surfaces with their tools, sorted; None where a tool is unknown."""
    found: dict[str, set[str] | None] = {}
    ok = True
    for target in targets:
        surface = target.surface.text
        if target.tools and surface not in ("tool_call", "tool_result"):
            scope.error(
                "wrong-surface",
                target.tools[0],
                f"`{surface}` has no tools",
                help="tools are named after `tool_call` and `tool_result`",
            )
            ok = False
            continue
        tools: set[str] = set()
        for ref in target.tools:
            tool = find_tool(scope, ref)
            ok = ok and tool is not None
            tools.add(tool or "")
        if surface in found and (found[surface] is None or not tools):
            scope.error(
                "duplicate-clause", target.surface, f"the surface `{surface}` is named twice"
            )
        earlier = found.get(surface)
        found[surface] = None if not tools else (earlier or set()) | tools
    if not ok:
        return None
    return tuple(
        On(surface, tuple(sorted(found[surface] or ()))) for surface in SURFACES if surface in found
    )


# --- one rule


def read_rule(scope: Scope, node: ast.Block) -> Rule | None:
    """One rule, understood; None (and diagnostics) where it cannot be enforced."""
    before = len(scope.report)
    clauses = Clauses(scope, node.clauses)
    name = node.name.text if isinstance(node.name, ast.Name) else ""
    anchor = node.name or node
    complete = clauses.require(scope, anchor, f"the rule `{name}`", "tier", "on", "when", "then")
    tier = find_tier(scope, clauses)
    on = _targets_of(scope, clauses)
    severity = _severity(scope, clauses)
    mode = _mode(scope, clauses)
    condition = _condition(scope, clauses, on)
    action = _action_of(scope, clauses, tier, on, condition)
    on_error = _on_error(scope, clauses, tier)
    refs = read_refs(scope, clauses)
    failed = any(diagnostic.is_error for diagnostic in scope.report[before:])
    if failed or not complete or not (tier and on and condition and action):
        return None
    return Rule(
        name=scope.qualified(name),
        tier=tier.name,
        severity=severity,
        on=on,
        condition=condition,
        action=action,
        on_error=on_error or tier.on_error,
        mode=mode,
        title=clauses.text("title"),
        owner=clauses.text("owner"),
        version=clauses.text("version"),
        note=clauses.text("note"),
        refs=refs,
        place=scope.place(node),
        name_place=scope.place(anchor),
    )


def _targets_of(scope: Scope, clauses: Clauses) -> tuple[On, ...] | None:
    clause = clauses.get("on")
    if clause is None:
        return None
    on = read_targets(scope, [t for t in clause.values if isinstance(t, ast.Target)])
    if on and len(on) > 1 and any(one.surface == "conversation" for one in on):
        scope.error(
            "wrong-surface",
            clause,
            "`conversation` stands alone: such a rule is judged after all others",
            help="write one rule `on conversation` and one for the other surfaces",
        )
        return None
    return on


def _severity(scope: Scope, clauses: Clauses) -> Severity:
    name = clauses.name("severity")
    if name is None:
        return "medium"
    for severity in SEVERITIES:
        if severity == name.text:
            return severity
    scope.error(
        "unknown-choice",
        name,
        f"`{name.text}` is not a severity",
        help=did_you_mean(name.text, SEVERITIES)
        or "severities are " + ", ".join(f"`{s}`" for s in SEVERITIES),
    )
    return "medium"


def _mode(scope: Scope, clauses: Clauses) -> Mode:
    name = clauses.name("mode")
    if name is None:
        return "enforce"
    for mode in MODES:
        if mode == name.text:
            return mode
    scope.error(
        "unknown-choice",
        name,
        f"`{name.text}` is not a mode",
        help=did_you_mean(name.text, MODES) or "modes are `enforce`, `shadow`, `retired`",
    )
    return "enforce"


def _condition(scope: Scope, clauses: Clauses, on: tuple[On, ...] | None) -> Cond | None:
    when, unless = clauses.get("when"), clauses.get("unless")
    setting = Setting(on or (), "a rule", all_tools(scope))
    found = resolve(scope, when.values[0], setting) if when and on else None  # type: ignore[arg-type]  # grammar
    if unless is None or not on:
        return found
    lifted = resolve(scope, unless.values[0], setting)  # type: ignore[arg-type]  # grammar
    if found is None or lifted is None:
        return None
    return And((found, Not(lifted, scope.place(unless))), found.place)


def _on_error(scope: Scope, clauses: Clauses, tier: Tier | None) -> OnError | None:
    name = clauses.name("on_error")
    if name is None or tier is None:
        return None
    if name.text not in ON_ERROR:
        _bad_on_error(scope, name)
        return None
    if STRENGTH[name.text] < STRENGTH[tier.on_error]:
        scope.error(
            "on-error-loosened",
            name,
            f"`{tier.name}` answers an error with `{tier.on_error}`; a rule may only tighten that",
            help=f"write `on_error {tier.on_error}` or stronger, or give the rule another tier",
        )
        return None
    if name.text not in tier.may and name.text != "pass":
        scope.error("tier-may-not", name, f"`{tier.name}` may not `{name.text}`")
        return None
    return name.text


def read_refs(scope: Scope, clauses: Clauses) -> tuple[str, ...]:
    """The references of a declaration, validated against the pinned tables."""
    clause = clauses.get("refs")
    if clause is None:
        return ()
    found: list[str] = []
    for value in clause.values:
        if not isinstance(value, ast.Literal):
            continue
        text = str(value.value)
        parsed = parse_ref(text)
        if not isinstance(parsed, KnownRef):
            slug = {"edition": "ref-edition", "unknown": "unknown-ref"}.get(parsed.kind, "bad-ref")
            scope.error(slug, value, parsed.message, help=parsed.help)
        found.append(text)
    return tuple(found)


# --- actions


def _action_of(
    scope: Scope,
    clauses: Clauses,
    tier: Tier | None,
    on: tuple[On, ...] | None,
    condition: Cond | None,
) -> Act | None:
    clause = clauses.get("then")
    if clause is None or not isinstance(clause.values[0], ast.Action):
        return None
    node = clause.values[0]
    if node.verb == "pass":
        scope.error(
            "tier-may-not",
            node,
            "`pass` is no action of a rule: nothing cancels what another rule found",
            help="say `then flag` to record it, or lift one rule with `exempt`",
        )
        return None
    if tier is not None and node.verb not in tier.may:
        scope.error(
            "tier-may-not",
            Place(scope.source, node.span._replace(end=node.span.start + len(node.verb))),
            f"the tier `{tier.name}` may not `{node.verb}`",
            help=f"`{tier.name}` may " + ", ".join(f"`{verb}`" for verb in tier.may),
        )
    surfaces = tuple(one.surface for one in on or ())
    return _act(scope, node, tier, surfaces, condition)


def _act(
    scope: Scope,
    node: ast.Action,
    tier: Tier | None,
    surfaces: tuple[Surface, ...],
    condition: Cond | None,
) -> Act | None:
    check_placeholders(scope, node.text)
    otherwise = None
    if node.otherwise is not None:
        otherwise = _act(scope, node.otherwise, tier, surfaces, condition)
        other = node.otherwise.verb
        if tier is not None and other != "pass" and other not in tier.may:
            scope.error(
                "tier-may-not",
                node.otherwise,
                f"the tier `{tier.name}` may not `{other}`",
                help=f"`{tier.name}` may " + ", ".join(f"`{verb}`" for verb in tier.may),
            )
    _fits_surface(scope, node, surfaces)
    if node.verb == "rewrite" and not node.whole and condition is not None:
        _has_spans(scope, node, condition)
    verb: Action = node.verb
    return Act(
        verb=verb,
        text=str(node.text.value) if node.text else None,
        form=node.form,
        whole=node.whole,
        keep=_whole_number(scope, node.keep, "`keep last`", 0, 64) if node.keep else 0,
        for_session=node.for_session,
        approvers=_approvers(scope, node.approvers),
        within_ms=_within(scope, node),
        principle=_principle(scope, node.principle),
        rounds=_whole_number(scope, node.rounds, "`at most`", 1, MAX_ROUNDS) if node.rounds else 0,
        otherwise=otherwise,
    )


def _approvers(scope: Scope, node: ast.Literal | None) -> str | None:
    if node is None:
        return None
    if not str(node.value).strip():
        scope.error(
            "wrong-value",
            node,
            "`hold for` names nobody who could approve",
            help='write who decides, such as `hold for "moderators"`',
        )
    return str(node.value)


def _whole_number(scope: Scope, node: ast.Literal, what: str, low: int, high: int) -> int:
    value = int(node.value)
    if not low <= value <= high:
        scope.error("out-of-range", node, f"{what} takes a number from {low} to {high}")
        return low
    return value


def _within(scope: Scope, node: ast.Action) -> int | None:
    if node.within is None:
        return None
    value = int(node.within.value)
    limit = MAX_HOLD_MS if node.verb == "hold" else MAX_REVISE_MS
    shown = "7 days" if node.verb == "hold" else "10 minutes"
    if not 1_000 <= value <= limit:
        scope.error("out-of-range", node.within, f"`{node.verb} within` takes 1 second to {shown}")
    return value


def _principle(scope: Scope, ref: ast.Ref | None) -> str | None:
    if ref is None:
        return None
    return find_principle(scope, ref)


def find_principle(scope: Scope, ref: ast.Ref) -> str | None:
    """The principle a name stands for, here or in a module; marks it used."""
    if ref.dotted in scope.principles:
        scope.use("principle", ref.dotted)
        return scope.principles[ref.dotted].name
    module = scope.modules.get(ref.parts[0])
    inner = ".".join(ref.parts[1:])
    if module is not None and inner in module.principles:
        scope.use("module", ref.parts[0])
        return module.principles[inner].name
    if ref.dotted not in scope.broken and not scope.is_broken(ref):
        known = [name for space, name in scope.declared if space == "principle"]
        for alias, used in scope.modules.items():
            known.extend(f"{alias}.{name}" for name in used.principles)
        scope.error(
            "unknown-principle",
            ref,
            f"no principle is called `{ref.dotted}`",
            help=did_you_mean(ref.dotted, known)
            or f'declare it: `principle {ref.parts[-1]} {{ tier … text "…" }}`',
        )
    return None


def _fits_surface(scope: Scope, node: ast.Action, surfaces: tuple[Surface, ...]) -> None:
    verb = Place(scope.source, node.span._replace(end=node.span.start + len(node.verb)))
    if node.verb == "revise":
        wrong = [surface for surface in surfaces if surface != "output"]
        if wrong:
            scope.error(
                "action-off-surface",
                verb,
                f"`revise` asks the model for another answer, so `{wrong[0]}` cannot be revised",
                help="revise on `output` only",
            )
    elif node.verb == "rewrite" and "conversation" in surfaces:
        scope.error(
            "action-off-surface",
            verb,
            "a conversation has no text that could be rewritten",
            help="`block`, `hold` or `flag` on `conversation`",
        )


def _has_spans(scope: Scope, node: ast.Action, condition: Cond) -> None:
    asked = list(positive_checks(condition))
    spans = {check.name for check in scope.all_checks() if check.spans}
    if not any(name in spans for name in asked):
        scope.error(
            "rewrite-without-spans",
            node,
            "nothing in the condition says which characters to rewrite",
            help="use a check that finds places, such as `pattern` or `entities`, "
            "or `rewrite all as`",
        )


def check_placeholders(scope: Scope, text: ast.Literal | None) -> None:
    if text is None:
        return
    for match in _PLACEHOLDER.finditer(text.raw):  # as written, `\u{…}` left out
        if match.group(1) not in ("label", "rule"):
            near = nearest(match.group(1), ("label", "rule"))
            start = text.span.start
            scope.error(
                "unknown-placeholder",
                Span(start + match.start(), start + match.end()),
                f"`{match.group()}` is no placeholder",
                help=f"did you mean `{{{near}}}`?"
                if near
                else "placeholders are `{label}` and `{rule}`; what was matched never leaves",
            )
