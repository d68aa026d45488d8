"""`use` and `apply`: a module gets its parameters; its rules act only where applied."""

from __future__ import annotations

from dataclasses import replace

from guardkit.diagnostics import Label, did_you_mean
from guardkit.syntax import ast, parse
from guardkit.types import SEVERITIES, SURFACES

from ._library import LibraryError
from ._policy import On, Rule
from ._rules import MODES, check_placeholders, read_rule
from ._scope import ParamValue, Scope
from ._values import bind_value, known_type

MAX_MODULE_DEPTH = 16
MAX_MODULES = 200
"""Instances, not files: modules that use modules several times over grow without end."""
_NOT_IN_MODULE = {
    "tiers": "authority is settled by the policy",
    "tier": "authority is settled by the policy",
    "defaults": "budgets and limits belong to the policy",
    "context": "what the model is told belongs to the policy",
    "model": "what the model may refuse belongs to the policy",
    "window": "a module's rules act only where a policy applies them, so it cannot count them",
    "sequence": "tool flows belong to the policy",
    "exempt": "exceptions belong to the policy",
    "monitor": "monitors belong to the policy",
    "apply": "a module offers rules; the policy applies them",
}
_PROBLEMS = {
    "missing": "there is no module `{}`",
    "outside": "the module `{}` lies outside the policy's folder",
    "not-a-file": "the module `{}` is not a file",
    "too-large": "the module `{}` is too large",
    "unreadable": "the module `{}` cannot be read",
    "not-text": "the module `{}` is not UTF-8 text",
}


def use_module(scope: Scope, node: ast.UseModule) -> Scope | None:
    """Instantiate one module. Its mistakes are reported in its own file, once per use."""
    name = str(node.path.value)
    if not name.startswith(scope.roots):
        scope.error(
            "unknown-module",
            node.path,
            f"`{name}` is neither a shipped module nor a file beside this one",
            help='write `"std/pii"` for a shipped module, `"./bank.guard"` for your own',
        )
        return None
    try:
        source = scope.library.module(name, scope.source)
    except LibraryError as error:
        slug = "path-outside-root" if error.kind == "outside" else "unknown-module"
        scope.error(
            slug,
            node.path,
            _PROBLEMS[error.kind].format(name),
            help=()
            if name.startswith("std/")
            else "paths are relative to this file and stay inside the policy's folder",
        )
        return None
    chain = (*scope.chain, scope.source.path)
    if source.path in chain or len(chain) > MAX_MODULE_DEPTH:
        scope.error(
            "import-cycle",
            node.path,
            "modules use each other in a circle: " + " → ".join([*chain, source.path][-4:]),
            help="move what both need into a third module",
        )
        return None
    scope.instances.append(source.path)
    if len(scope.instances) > MAX_MODULES:
        if len(scope.instances) == MAX_MODULES + 1:
            scope.error(
                "too-many-modules",
                node.path,
                f"the policy uses more than {MAX_MODULES} modules, counted with those they use",
                help="use a module once and share its checks",
            )
        return None
    parsed = parse(source)
    if not parsed.is_clean:
        scope.report.extend(parsed.diagnostics)
        return None
    inner = Scope(
        parsed.file,
        scope.catalog,
        scope.library,
        scope.today,
        prefix=scope.qualified(f"{node.alias.text}."),
        chain=chain,
        tiers=scope.tiers,
        instances=scope.instances,
    )
    if not _is_usable(scope, node, inner):
        return None
    arguments: dict[str, ast.Argument] = {}
    for argument in node.arguments:
        first = arguments.setdefault(argument.label, argument)
        if first is not argument:
            _given_twice(scope, argument, first)
    bind_params(inner, arguments, scope, node)
    return inner


def _given_twice(scope: Scope, argument: ast.Argument, first: ast.Argument) -> None:
    scope.error(
        "duplicate-clause",
        argument.label_span,
        f"`{argument.label}` is given twice",
        labels=(Label(scope.place(first.label_span), "given here first"),),
    )


def _is_usable(scope: Scope, node: ast.UseModule, inner: Scope) -> bool:
    header = next((d for d in inner.file.declarations if isinstance(d, ast.Header)), None)
    label = () if header is None else (Label(inner.place(header.name), "named here"),)
    if header is None or header.kind != "module":
        scope.error(
            "not-a-module",
            node.path,
            f"`{node.path.value}` is a policy, and only modules can be used",
            labels=label,
            help="begin the file with `module NAME` instead of `policy NAME`",
        )
        return False
    version = next((c for c in header.clauses if c.word == "version"), None)
    literal = version.values[0] if version else None
    has = str(literal.value) if isinstance(literal, ast.Literal) else ""
    if has != str(node.version.value):
        scope.error(
            "module-version",
            node.version,
            f"the module `{node.path.value}` has version `{has}`"
            if has
            else f"the module `{node.path.value}` has no version",
            labels=(
                Label(
                    inner.place(version or header.name),
                    "the module says" if version else "the module",
                ),
            ),
            help=f'write `version "{has}"` after reading what changed'
            if has
            else f'add `version "{node.version.value}"` under the module\'s name',
        )
        return False
    return True


def bind_params(
    scope: Scope,
    arguments: dict[str, ast.Argument],
    user: Scope,
    node: ast.UseModule | None,
) -> None:
    """Give every parameter of `scope` its value: from the user's `with`, else its default."""
    known: dict[str, ast.Param] = {}
    for declaration in scope.file.declarations:
        if isinstance(declaration, ast.Param) and scope.declare(
            "value", declaration.name.text, declaration.name, "the parameter"
        ):
            known[declaration.name.text] = declaration
    for label, argument in arguments.items():
        if label not in known:
            user.error(
                "unknown-parameter",
                argument.label_span,
                f"the module has no parameter `{label}`",
                help=did_you_mean(label, known)
                or (
                    "its parameters are " + ", ".join(f"`{k}`" for k in known)
                    if known
                    else "it has no parameters at all"
                ),
            )
    for name, param in known.items():
        given = arguments.get(name)
        if not known_type(scope, param.type):
            scope.broken.add(name)
            continue
        what = f"`{name}`"
        if given is not None:
            value = bind_value(user, given.value, param.type.text, param.is_list, what)
            if node is not None:
                scope.given[name] = user.place(given.value)
        elif param.default is not None:
            value = bind_value(scope, param.default, param.type.text, param.is_list, what)
        else:
            value = None
            _without_value(scope, user, node, param)
        place = scope.place(param.name)
        scope.params[name] = ParamValue(name, param.type.text, param.is_list, value, place)


def _without_value(scope: Scope, user: Scope, node: ast.UseModule | None, param: ast.Param) -> None:
    name = param.name.text
    if node is None:
        scope.error(
            "missing-parameter",
            param.name,
            f"`{name}` has no value",
            help=f'give it a default here, or load the policy with `params={{"{name}": …}}`',
        )
        return
    user.error(
        "missing-parameter",
        node.alias,
        f"the module needs a value for `{name}`",
        labels=(Label(scope.place(param.name), "declared without a default"),),
        help=f"write `with ({name}: …)`",
    )


def refuse_in_module(scope: Scope) -> None:
    """Declarations that only a policy may make."""
    for declaration in scope.file.declarations:
        word = (
            declaration.kind
            if isinstance(declaration, ast.Block)
            else type(declaration).__name__.lower()
        )
        if word in _NOT_IN_MODULE:
            start = declaration.span.start
            scope.error(
                "not-in-module",
                declaration.span._replace(end=start + len(word)),
                f"`{word}` cannot stand in a module",
                help=_NOT_IN_MODULE[word],
            )


def apply_rule(scope: Scope, node: ast.Apply) -> Rule | None:
    """The library rule a policy applies, with what the policy says about it."""
    alias, name = node.target.parts[0], ".".join(node.target.parts[1:])
    module = scope.modules.get(alias)
    if module is None:
        if alias not in scope.broken:
            scope.error(
                "bad-apply",
                node.target,
                f"`{node.target.dotted}` is no library rule",
                help=did_you_mean(alias, scope.modules)
                or "`apply` takes a rule of a module; rules of this file act by themselves",
            )
        return None
    if not name:
        first = next(iter(module.rule_blocks), None)
        scope.error(
            "bad-apply",
            node.target,
            f"`{alias}` is a module, and rules are applied one by one",
            help=f"write `apply {alias}.{first}`" if first else "this module has no rules",
        )
        return None
    block = module.rule_blocks.get(name)
    if block is None:
        scope.error(
            "unknown-rule",
            node.target,
            f"the module `{alias}` has no rule `{name}`",
            help=did_you_mean(name, module.rule_blocks)
            or (
                "its rules are " + ", ".join(f"`{rule}`" for rule in module.rule_blocks)
                if module.rule_blocks
                else "this module has checks, but no rules"
            ),
        )
        return None
    scope.use("module", alias)
    rule = read_rule(module, block)
    if rule is None:
        scope.broken.add(node.target.dotted)
        return None
    applied = _narrowed(scope, node, rule)
    if rule.mode == applied.mode == "retired" and not any(
        argument.label == "mode" for argument in node.arguments
    ):
        scope.error(
            "retired-reference",
            node.target,
            f"`{rule.name}` is retired in its module and never fires",
            help="apply the rule that took its place, or remove the line",
        )
    return applied


def _narrowed(scope: Scope, node: ast.Apply, rule: Rule) -> Rule:
    seen: dict[str, ast.Argument] = {}
    for argument in node.arguments:
        first = seen.setdefault(argument.label, argument)
        if first is not argument:
            _given_twice(scope, argument, first)
        if argument.label in ("surface", "surfaces"):
            rule = _on_surfaces(scope, argument, rule)
        elif argument.label == "mode":
            mode = _word(scope, argument, MODES)
            rule = replace(rule, mode=mode) if mode else rule  # type: ignore[arg-type]  # a mode
        elif argument.label == "share" and scope.is_overlay:
            rule = replace(rule, share=_percentage(argument))
        elif argument.label == "severity":
            severity = _word(scope, argument, SEVERITIES)
            rule = replace(rule, severity=severity) if severity else rule  # type: ignore[arg-type]
        elif argument.label == "message":
            rule = _with_message(scope, argument, rule)
        else:
            known = ("surface", "mode", "severity", "message")
            scope.error(
                "bad-apply",
                argument.label_span,
                f"`apply` takes no `{argument.label}`",
                help=did_you_mean(argument.label, known)
                or "it takes `surface`, `mode`, `severity` and `message`; "
                "parameters are given at `use … with (…)`",
            )
    return replace(rule, place=scope.place(node), name_place=scope.place(node.target))


def _on_surfaces(scope: Scope, argument: ast.Argument, rule: Rule) -> Rule:
    items = argument.value.items if isinstance(argument.value, ast.ListOf) else (argument.value,)
    wanted: list[On] = []
    if not items:
        scope.error(
            "bad-apply",
            argument.value,
            f"`{rule.name}` is applied to no surface",
            help="it judges " + ", ".join(f"`{surface}`" for surface in rule.surfaces),
        )
    for item in items:
        text = str(item.value) if isinstance(item, ast.Literal) else ""
        if text not in SURFACES:
            scope.error(
                "unknown-surface",
                item,
                f"`{text}` is not a surface" if text else 'a surface is a text, such as `"output"`',
                help=did_you_mean(text, SURFACES)
                or "surfaces are " + ", ".join(f"`{surface}`" for surface in SURFACES),
            )
            continue
        found = next((on for on in rule.on if on.surface == text), None)
        if found is None:
            scope.error(
                "wrong-surface",
                item,
                f"the rule does not judge `{text}`",
                help="it judges " + ", ".join(f"`{surface}`" for surface in rule.surfaces),
            )
            continue
        wanted.append(found)
    kept = tuple(on for on in rule.on if on in wanted)
    return replace(rule, on=kept) if kept else rule


def _word(scope: Scope, argument: ast.Argument, known: tuple[str, ...]) -> str | None:
    value = argument.value
    text = str(value.value) if isinstance(value, ast.Literal) else ""
    text = value.dotted if isinstance(value, ast.Ref) else text
    if text in known:
        return text
    scope.error(
        "unknown-choice",
        value,
        f"`{text}` is not a {argument.label}",
        help=did_you_mean(text, known) or "choices are " + ", ".join(f"`{k}`" for k in known),
    )
    return None


def _percentage(argument: ast.Argument) -> float:
    """What an overlay says, which no person writes."""
    assert isinstance(argument.value, ast.Literal)
    return round(float(argument.value.value) * 100, 2)


def _with_message(scope: Scope, argument: ast.Argument, rule: Rule) -> Rule:
    value = argument.value
    if rule.action.verb != "block" or not isinstance(value, ast.Literal) or value.kind != "text":
        scope.error(
            "bad-apply",
            argument.value,
            "`message` is a text, for a rule that blocks",
            help=f"`{rule.name}` answers with `{rule.action.verb}`"
            if rule.action.verb != "block"
            else "write the message in double quotes",
        )
        return rule
    check_placeholders(scope, value)
    return replace(rule, action=replace(rule.action, text=str(value.value)))
