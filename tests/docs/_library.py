"""One page for each policy and module that ships: what is in the file, and its measured limits."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from guardkit.guard import compile_file
from guardkit.semantics import Act, CheckedPolicy, Param, Rule

from ._markdown import anchored, code, fenced, page, table

LIBRARY = Path(__file__).parents[2] / "policies"
MOST_SHOWN = 60


def library_pages() -> dict[str, str]:
    """A page for each, behind a table of all."""
    deployments, modules = _names("*/*.guard", ""), _names("std/*/*.guard", "std/")
    pages = {f"library/{name.replace('/', '-')}.md": _page(name) for name in deployments + modules}
    first = page(
        "All policies and modules",
        "Every verb and `guardkit.load` take a policy by its name. A module is used by a policy"
        " of your own,"
        " and only what it applies acts.",
        "## Policies",
        table(("name", "for"), [_line(name) for name in deployments]),
        "## Modules",
        table(("name", "for"), [_line(name) for name in modules]),
    )
    return {"library/index.md": first, **pages}


def _names(pattern: str, prefix: str) -> list[str]:
    found = (path.parent for path in LIBRARY.glob(pattern) if path.stem == path.parent.name)
    return sorted(prefix + folder.name for folder in found)


def _line(name: str) -> tuple[str, str]:
    policy = _checked(name)
    return f"[{name}]({name.replace('/', '-')}.md)", anchored(policy.title)


def _file(name: str) -> Path:
    return LIBRARY / name / f"{Path(name).name}.guard"


@functools.cache
def _checked(name: str) -> CheckedPolicy:
    policy = compile_file(_file(name)).policy
    assert policy is not None, name
    return policy


def _page(name: str) -> str:
    policy = _checked(name)
    text = _file(name).read_text(encoding="utf-8")
    types = dict(re.findall(r"^param (\w+): (.+?)(?: =|$)", text, re.MULTILINE))
    inside = name.startswith("std/")
    own = [rule for rule in policy.rules if inside or "." not in rule.name]
    checks = [check for check in policy.checks if inside or "." not in check.name]
    used = re.findall(r'^use "(std/\w+)"', text, re.MULTILINE)
    readme = (LIBRARY / name / "README.md").read_text(encoding="utf-8")
    told = _told(readme)
    parts = [
        anchored(policy.title) + ".",
        fenced(
            f'use "{name}" version "{policy.version}" as {Path(name).name}'
            if inside
            else f'guard = guardkit.load("{name}")',
            "text",
        ),
        _uses(used),
        "## Parameters" if policy.params else "",
        table(
            ("parameter", "type", "when left out"),
            [(code(one.name), types.get(one.name, one.type), _value(one)) for one in policy.params],
        ),
        "## Checks" if checks else "",
        table(
            ("check", "kind", "answers", "finds"),
            [
                (
                    code(one.name),
                    f"[{one.kind}](../checks/{one.kind}.md)",
                    "yes or no" if one.answers == "answer" else one.answers,
                    told.get(one.name, ""),
                )
                for one in checks
            ],
        ),
        "## Rules" if own else "",
        table(
            ("rule", "on", "tier, severity", "action", "without an answer", ""),
            [(*_rule(rule), told.get(rule.name, "")) for rule in own],
        ),
        _applied(policy) if not inside else "",
        *_from_readme(readme),
    ]
    return page(name, *parts)


def _uses(modules: list[str]) -> str:
    links = ", ".join(f"[{name}]({name.replace('/', '-')}.md)" for name in modules)
    return f"Made of {links}." if links else ""


def _value(param: Param) -> str:
    if param.value is None:
        return "has to be given"
    if isinstance(param.value, tuple):
        shown = ", ".join(str(one) for one in param.value)
        shown = shown if len(shown) <= MOST_SHOWN else f"{len(param.value)} of them"
        return anchored(shown) or "none"
    return code(str(param.value))


def _rule(rule: Rule) -> tuple[str, str, str, str, str]:
    on = ", ".join(
        one.surface + (f" ({', '.join(one.tools)})" if one.tools else "") for one in rule.on
    )
    mode = "" if rule.mode == "enforce" else f", {rule.mode}"
    return (
        code(rule.name),
        on,
        f"{rule.tier}, {rule.severity}",
        _act(rule.action) + mode,
        rule.on_error,
    )


def _act(action: Act) -> str:
    said = action.verb
    if action.for_session:
        said += " for the session"
    if action.form is not None and action.form != "text":
        said += f" as {action.form}"
    if action.otherwise is not None:
        said += f", else {action.otherwise.verb}"
    return said


def _applied(policy: CheckedPolicy) -> str:
    rules = [rule.name for rule in policy.rules if "." in rule.name]
    if not rules:
        return ""
    return "Rules of modules that it applies: " + ", ".join(code(name) for name in rules) + "."


def _told(readme: str) -> dict[str, str]:
    """What the tables of a README say of each name, in their last cell; not those with figures."""
    readme = readme.partition("## Measured")[0]
    return {
        name: last.strip()
        for name, last in re.findall(r"^\| `(\w+)` \|.*\|([^|]+)\|$", readme, re.MULTILINE)
    }


def _from_readme(readme: str) -> Iterator[str]:
    """How it is used, what it was measured to find, and what it misses."""
    for heading in ("How to use it", "Use", "Measured", "Known misses"):
        found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
        if found is not None:
            yield f"## {heading}"
            yield _links(found[1].replace("<!-- figures -->", "")).strip()


def _links(text: str) -> str:
    """Links between pages of the library, as they are here."""
    text = re.sub(r"\]\((?:\.\./)*std/(\w+)/README\.md\)", r"](std-\1.md)", text)
    return re.sub(r"\]\((?:\.\./)+(\w+)/README\.md\)", r"](\1.md)", text)
