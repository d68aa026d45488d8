"""The stage itself: a parsed file and a catalog in, a checked policy and every diagnostic out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeGuard, TypeVar

from guardkit.catalog import Catalog
from guardkit.diagnostics import Diagnostic, Label, Source, Span, did_you_mean
from guardkit.syntax import ast, parse
from guardkit.types import SEVERITIES

from ._cases import read_monitor, read_probe, read_test
from ._checks import check_declaration
from ._clauses import Clauses
from ._library import Library
from ._lints import lint
from ._modules import apply_rule, bind_params, refuse_in_module, use_module
from ._patterns import UNBOUNDED
from ._policy import (
    Check,
    CheckedPolicy,
    Exemption,
    Model,
    Monitor,
    Param,
    Rule,
    Sequence,
    TestCase,
    Tool,
    atoms_of,
    check_of,
)
from ._rollout import Rollout, roll_out
from ._rules import DEFAULT_TIERS, read_rule, read_tiers
from ._scope import OVERLAY_ROOTS, Scope
from ._state import (
    blocks,
    read_context,
    read_defaults,
    read_exemption,
    read_model,
    read_principle,
    read_sequence,
    read_window,
)
from ._tools import all_tools, read_tools
from .exact import analyse


@dataclass(frozen=True, slots=True)
class Checked:
    """What a policy means, if it means anything, and everything found on the way."""

    policy: CheckedPolicy | None
    diagnostics: tuple[Diagnostic, ...]


def check(
    source: Source,
    catalog: Catalog,
    library: Library,
    *,
    params: Mapping[str, ast.Value] | None = None,
    today: date | None = None,
    overlays: Iterable[Source] = (),
    rollout: Source | None = None,
) -> Checked:
    """Check one policy or module file with everything it uses.

    Reports all mistakes at once. The policy is there exactly when no diagnostic is an error.
    `params` override the defaults of the file's own parameters; `today` decides which exemptions
    have ended (given for reproducible runs). `overlays` are what a deployment adds: their `use` and
    `apply` count as if the file said them, and nothing else in them does. `rollout` is the TOML
    file that says how far a deployment has come: it changes the modes of rules.
    """
    parsed = parse(source)
    if not any(isinstance(node, ast.Header) for node in parsed.file.declarations):
        return Checked(None, parsed.diagnostics)
    scope = Scope(parsed.file, catalog, library, today or date.today(), tiers=DEFAULT_TIERS)
    policy = _Reader(scope, dict(params or {}), overlays, rollout).read()
    found = scope.report
    if not parsed.is_clean:
        others = [d for d in found if d.is_error and d.code.slug not in _NEED_THE_WHOLE_FILE]
        return Checked(None, _sorted([*parsed.diagnostics, *others]))
    if policy is None or any(diagnostic.is_error for diagnostic in found):
        return Checked(None, _sorted(found))
    found.extend(lint(scope, policy))
    # What has been said about a part in plain words is not said again as a proof.
    said = {d.place for d in found if d.code.slug in ("trivial-threshold", "repeated-member")}
    found.extend(
        d for d in analyse(policy) if d.code.slug != "idle-condition" or d.place not in said
    )
    return Checked(policy, _sorted(found))


_NEED_THE_WHOLE_FILE = frozenset(
    {
        "bad-apply",
        "constant-condition",
        "missing-clause",
        "no-active-rules",
        "on-error-missing",
        "overlay-weakens",
        "rewrite-without-spans",
        "type-mismatch",
        "unknown-check",
        "unknown-name",
        "unknown-override",
        "unknown-parameter",
        "unknown-principle",
        "unknown-rule",
        "unknown-sequence",
        "unknown-tier",
        "unknown-tool",
    }
)
"""What a declaration that could not be read may be to blame for: not said beside syntax errors."""


def _sorted(found: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    unique = {diagnostic.order: diagnostic for diagnostic in found}
    return tuple(unique[order] for order in sorted(unique))


T = TypeVar("T")


class _Reader:
    """Reads the declarations of the root file in the order in which they need each other."""

    def __init__(
        self,
        scope: Scope,
        overrides: dict[str, ast.Value],
        overlays: Iterable[Source],
        rollout: Source | None,
    ) -> None:
        self.scope = scope
        self.overrides = overrides
        # A module is no deployment: nothing is added to one.
        self.sources = () if scope.is_module else tuple(overlays)
        self.rollout = None if scope.is_module else rollout
        self.overlays: list[Scope] = []

    def read(self) -> CheckedPolicy | None:
        scope = self.scope
        header = next(d for d in scope.file.declarations if isinstance(d, ast.Header))
        scope.tiers = read_tiers(scope)
        for source in self.sources:
            parsed = parse(source)
            scope.report.extend(parsed.diagnostics)
            # Names, findings and modules of both are one; only places tell them apart.
            self.overlays.append(replace(scope, file=parsed.file, roots=OVERLAY_ROOTS))
        prepare(scope, self._overridden(), self.overlays)
        own = self._rules()
        # What a test expects and an exemption lifts is the policy's to say, wherever it runs; what
        # acts, is counted and is watched depends on this deployment.
        rolled = None if self.rollout is None else roll_out(scope, self.rollout, own)
        rules = own if rolled is None else rolled.rules
        defaults = read_defaults(scope)
        if defaults.hold_back is not None:
            _bounded_on_streams(scope, rules)
        context = read_context(scope)
        model = read_model(scope)
        windows = self._named("window", lambda b: read_window(scope, b, rules))
        sequences = self._named("sequence", lambda b: read_sequence(scope, b))
        exemptions = self._exemptions(own)
        tests = [
            case
            for node in scope.file.declarations
            if isinstance(node, ast.Test)
            for case in read_test(scope, node, own)
        ]
        probes = self._named("probe", lambda b: read_probe(scope, b))
        monitors = self._named("monitor", lambda b: read_monitor(scope, b, rules))
        if header.kind == "policy":
            self._has_active_rules(header, own, rolled)
        if any(diagnostic.is_error for diagnostic in scope.report):
            return None
        ranks = {tier.name: rank for rank, tier in enumerate(scope.tiers)}
        ordered = sorted(
            rules.values(),
            key=lambda r: (ranks[r.tier], SEVERITIES.index(r.severity), r.name),
        )
        meta = {
            clause.word: str(getattr(clause.values[0], "value", "")) for clause in header.clauses
        }
        tools = _used_tools(scope)
        return CheckedPolicy(
            name=header.name.text,
            kind=header.kind,
            title=meta.get("title", ""),
            owner=meta.get("owner", ""),
            version=meta.get("version", ""),
            tiers=scope.tiers,
            defaults=defaults,
            params=tuple(
                Param(p.name, p.type, p.value)
                for _, p in sorted(scope.params.items())
                if p.value is not None
            ),
            checks=_needed_checks(scope, ordered, exemptions, monitors, tests, sequences, model),
            rules=tuple(ordered),
            principles=tuple(
                sorted(
                    [
                        *scope.principles.values(),
                        *(p for m in scope.modules.values() for p in m.principles.values()),
                    ],
                    key=lambda p: p.name,
                )
            ),
            context=context,
            model=model,
            tools=tools,
            windows=tuple(sorted(windows, key=lambda w: w.name)),
            sequences=tuple(sorted(sequences, key=lambda s: s.name)),
            exemptions=tuple(sorted(exemptions, key=lambda e: (e.rule, e.until, e.reason))),
            tests=tuple(tests),
            probes=tuple(sorted(probes, key=lambda p: p.name)),
            monitors=tuple(sorted(monitors, key=lambda m: m.name)),
        )

    def _overridden(self) -> dict[str, ast.Argument]:
        arguments: dict[str, ast.Argument] = {}
        known = [d.name.text for d in self.scope.file.declarations if isinstance(d, ast.Param)]
        for name, value in self.overrides.items():
            if name not in known:
                first = self.scope.file.declarations[0]
                self.scope.error(
                    "unknown-override",
                    first,
                    f"the policy has no parameter `{name}`",
                    help=did_you_mean(name, known)
                    or ("parameters are " + ", ".join(f"`{k}`" for k in known) if known else ()),
                )
                continue
            node = next(d.name for d in self.scope.file.declarations if _declares(d, name))
            arguments[name] = ast.Argument(node.span, name, _at(value, node.span), node.span)
        return arguments

    def _named(self, kind: str, read: Callable[[ast.Block], T | None]) -> list[T]:
        found = [read(block) for block in blocks(self.scope, kind)]
        return [one for one in found if one is not None]

    def _exemptions(self, rules: dict[str, Rule]) -> list[Exemption]:
        return self._named("exempt", lambda b: read_exemption(self.scope, b, rules))

    def _rules(self) -> dict[str, Rule]:
        scope = self.scope
        rules: dict[str, Rule] = {}
        for name, block in scope.rule_blocks.items():
            rule = read_rule(scope, block)
            if rule is None:
                scope.broken.add(name)
            else:
                rules[rule.name] = rule
        if scope.is_module:
            return rules
        for said in (scope, *self.overlays):
            for node in said.file.declarations:
                if isinstance(node, ast.Apply):
                    self._apply(said, node, rules)
        return rules

    @staticmethod
    def _apply(scope: Scope, node: ast.Apply, rules: dict[str, Rule]) -> None:
        applied = apply_rule(scope, node)
        if applied is None:
            return
        if applied.name in rules:
            first = rules[applied.name].name_place
            scope.error(
                "duplicate-name",
                node.target,
                f"`{applied.name}` is applied twice",
                labels=() if first is None else (Label(first, "applied here first"),),
                help="apply it once, with all that is to be said about it",
            )
            return
        rules[applied.name] = applied

    def _has_active_rules(
        self, header: ast.Header, own: dict[str, Rule], rolled: Rollout | None
    ) -> None:
        scope = self.scope
        if any(diagnostic.is_error for diagnostic in scope.report):
            return  # a rule that is wrong is not a rule that is missing
        rules = own if rolled is None else rolled.rules
        active = [rule for rule in rules.values() if rule.mode != "retired"]
        if active and any(rule.mode == "enforce" for rule in active):
            return
        policy = header.name.text
        # Whose doing it is: that of the policy, or of its overlay.
        is_rolled = rolled is not None and any(
            rule.mode == "enforce" or (not active and rule.mode == "shadow")
            for rule in own.values()
        )
        place = rolled.place if rolled is not None and is_rolled else scope.place(header.name)
        if not active:
            library = [
                f"{alias}.{name}" for alias, m in scope.modules.items() for name in m.rule_blocks
            ]
            advice = "write a `rule`, or `apply` one of a module"
            if is_rolled:
                advice = "the overlay retires every rule: leave those that should act"
            elif rules:
                advice = "every rule is retired: remove the `mode` of those that should act"
            elif library:
                advice = f"library rules act through `apply`, such as `apply {library[0]}`"
            scope.error(
                "no-active-rules",
                place,
                f"no rule of `{policy}` is active, so it lets everything through",
                help=advice,
            )
        else:
            scope.error(
                "all-shadow",
                place,
                f"every rule of `{policy}` is in shadow, so it lets everything through",
                help="enforce those that should act, if only for a share of the sessions"
                if is_rolled
                else "remove the `mode` of those that should act",
            )


def _bounded_on_streams(scope: Scope, rules: dict[str, Rule]) -> None:
    """A match without an upper length cannot be held back in part."""
    by_name = {check.name: check for check in scope.all_checks()}
    told: set[str] = set()
    for rule in rules.values():
        if "output" not in rule.surfaces or rule.mode == "retired" or rule.name_place is None:
            continue
        for name in dict.fromkeys(check_of(atom) for atom in atoms_of(rule.condition)):
            check = by_name.get(name or "")
            if check is None or check.name in told:
                continue
            if check.get("width") == UNBOUNDED:
                told.add(check.name)
                scope.error(
                    "pattern-unbounded",
                    rule.name_place,
                    f"`{check.name}` may match any length, and replies are streamed",
                    labels=(Label(check.place, "no upper length"),),
                    help="bound the pattern, such as `{1,64}` for `+`, "
                    "or hold whole replies: `defaults { hold_back all }`",
                )


def _declares(declaration: ast.Declaration, name: str) -> TypeGuard[ast.Param]:
    return isinstance(declaration, ast.Param) and declaration.name.text == name


def _at(value: ast.Value, span: Span) -> ast.Value:
    """A value from outside the file, placed where the file declares what it is for."""
    if isinstance(value, ast.ListOf):
        return ast.ListOf(span, tuple(_at(item, span) for item in value.items))
    return replace(value, span=span)


def prepare(
    scope: Scope, arguments: dict[str, ast.Argument], overlays: Iterable[Scope] = ()
) -> None:
    """Parameters, imports, tools, checks and names of the root file, and imports of overlays."""
    if scope.is_module:
        refuse_in_module(scope)
    _load(scope, lambda: bind_params(scope, arguments, scope, None), overlays)


def _load(scope: Scope, bind: Callable[[], None], overlays: Iterable[Scope] = ()) -> None:
    bind()
    file = scope.file
    for node in file.declarations:
        if isinstance(node, ast.Header):
            Clauses(scope, node.clauses)  # reports what is given twice
    for node in file.declarations:
        if isinstance(node, ast.UseModule):
            _use(scope, node)
        elif isinstance(node, ast.UseTools):
            name = node.alias.text
            if not scope.declare("value", name, node.alias, "the tool listing"):
                continue
            tools = read_tools(scope, node)
            if tools is None:
                scope.broken.add(name)
            else:
                scope.tools[name] = tools
    for overlay in overlays:
        for node in overlay.file.declarations:
            if isinstance(node, ast.UseModule):
                _use(overlay, node)
    for node in file.declarations:
        if isinstance(node, ast.Check):
            _declare_check(scope, node)
        elif isinstance(node, ast.Block):
            _declare_block(scope, node)


def _use(scope: Scope, node: ast.UseModule) -> None:
    name = node.alias.text
    if not scope.declare("value", name, node.alias, "the module"):
        return
    module = use_module(scope, node)
    if module is None:
        scope.broken.add(name)
        return
    _load_module(scope, module)
    scope.modules[name] = module


def _load_module(scope: Scope, module: Scope) -> None:
    """Everything a module declares; its errors join the user's report."""
    refuse_in_module(module)
    _load(module, lambda: None)
    for name, block in module.rule_blocks.items():
        # An unapplied rule is read too: a library with a wrong rule is a wrong library.
        if read_rule(module, block) is None:
            module.broken.add(name)
    scope.report.extend(d for d in module.report if d.is_error)
    module.report.clear()


def _declare_check(scope: Scope, node: ast.Check) -> None:
    name = node.name.dotted
    if node.name.parts[0] in ("context", "call"):
        scope.error(
            "reserved-name",
            node.name,
            f"`{node.name.parts[0]}` names the fields of an event and cannot begin a check's name",
            help="choose another name",
        )
        scope.broken.add(name)
        return
    if len(node.name.parts) > 1 and node.name.parts[0] in {*scope.modules, *scope.tools}:
        scope.error(
            "duplicate-name",
            node.name,
            f"`{node.name.parts[0]}` is a module or a tool listing; checks cannot be added to it",
            help=f"choose another name, such as `{'_'.join(node.name.parts)}`",
        )
        scope.broken.add(name)
        return
    if not scope.declare("value", name, node.name, "the check"):
        return
    made: Check | None = check_declaration(scope, node)
    if made is None:
        scope.broken.add(name)
    else:
        scope.checks[name] = made


def _declare_block(scope: Scope, node: ast.Block) -> None:
    if not isinstance(node.name, ast.Name):
        return
    name = node.name.text
    match node.kind:
        case "rule":
            if scope.declare("rule", name, node.name, "the rule"):
                scope.rule_blocks[name] = node
        case "principle":
            if scope.declare("principle", name, node.name, "the principle"):
                principle = read_principle(scope, node)
                if principle is None:
                    scope.broken.add(name)
                else:
                    scope.principles[name] = principle
        case "window":
            if scope.declare("value", name, node.name, "the window"):
                scope.windows[name] = node
        case "sequence":
            if scope.declare("sequence", name, node.name, "the sequence"):
                scope.sequences[name] = node
        case "probe" | "monitor":
            scope.declare(node.kind, name, node.name, f"the {node.kind}")


def _used_tools(scope: Scope) -> tuple[Tool, ...]:
    return tuple(tool for _, tool in sorted(all_tools(scope).items()))


def _needed_checks(
    scope: Scope,
    rules: list[Rule],
    exemptions: list[Exemption],
    monitors: list[Monitor],
    tests: list[TestCase],
    sequences: list[Sequence],
    model: Model,
) -> tuple[Check, ...]:
    """Every check of the file itself, and those of modules that something asks."""
    by_name = {check.name: check for check in scope.all_checks()}
    own = {check.name for check in scope.checks.values()}
    needed = own | set(model.refuses) | set(model.answers)
    conditions = [rule.condition for rule in rules]
    conditions += [m.condition for m in monitors if m.condition is not None]
    conditions += [e.condition for e in exemptions if e.condition is not None]
    for sequence in sequences:
        for event in (sequence.first, sequence.then):
            if event.where is not None:
                conditions.append(event.where)
    for condition in conditions:
        needed.update(name for atom in atoms_of(condition) if (name := check_of(atom)))
    for case in tests:
        needed.update(step.subject for step in case.steps if hasattr(step, "subject"))
    return tuple(by_name[name] for name in sorted(needed) if name in by_name)
