"""A comparison as text a reviewer reads, and its examples as tests a policy can keep."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from guardkit._util.values import format_duration

from .._policy import Plain
from ._changed_settings import Setting
from ._compare import Change, Comparison, Given

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EVENTS = {
    "input": 'input "Hello."',
    "retrieved": 'retrieved "A page."',
    "output": 'output "Hello."',
    "conversation": 'input "Hello."',
}
_ARROW = "→"


def as_test(change: Change, title: str) -> str:
    """An example as a `test` block, in policy syntax.

    It expects the stronger of the two verdicts: for a weaker outcome that is what the old policy
    does and the new one fails, for a stronger one what the new policy does and the old one fails.
    What a test cannot set up by itself (a window, a sequence, a score between two calibrated
    rates) stands in it as a comment.
    """
    if change.is_weaker:
        says, rules, action = "old", change.old_rules, change.before
    else:
        says, rules, action = "new", change.new_rules, change.after
    lines = [f"# what the {says} policy does; the {'new' if says == 'old' else 'old'} one does not"]
    for given in change.witness:
        lines += _given(given)
    lines.append(_event(change))
    lines.append(f"expect {action}" + (f" by {rules[0]}" if rules else ""))
    body = "\n".join(f"  {line}" for line in lines)
    return f"test {_text(title)} {{\n{body}\n}}"


def is_runnable(change: Change) -> bool:
    """Whether `as_test` says everything the example needs."""
    return not any(line.startswith("#") for given in change.witness for line in _given(given))


def _given(given: Given) -> Iterator[str]:
    cell, kind = given.cell, given.subject[0]
    match kind:
        case "window":
            yield f"# the window {given.name} stands at {_value(cell.value)}"
        case "sequence":
            does = "completes" if cell.value else "does not complete"
            does = "cannot be told" if cell.state == "fails" else does
            yield f"# the sequence {given.name} {does} with this event"
        case "context":
            if isinstance(cell.value, tuple):
                yield f"# {given.name} holds {_value(cell.value)}"
            elif cell.state != "absent" and cell.value is not None:
                yield f"given {_dotted(given.subject)} = {_value(cell.value)}"
        case "check":
            if cell.state == "fails":
                yield f"given {given.name} fails"
                return
            for measure, rate, reached in cell.reached:
                is_shown = cell.value is None or 0 < float(str(cell.value)) < 1
                if is_shown:
                    verb = "reaches" if reached else "stays below"
                    yield f"# {given.name} {verb} its threshold at {measure} {rate * 100:g}%"
            if cell.value is not None:
                yield f"given {given.name} = {_value(cell.value)}"


def _event(change: Change) -> str:
    if change.surface not in ("tool_call", "tool_result"):
        return _EVENTS[change.surface]
    named = [tool for tool in change.tools if tool is not None]
    tool = (*named, *change.listed, "any")[0]
    ref = _dotted(("tool", *tool.split(".")))
    if change.surface == "tool_result":
        return f'tool_result {ref} "A result."'
    return f"tool_call {ref} ({_arguments(change.witness)})"


_Tree = dict[str, "_Tree | Plain"]


def _arguments(witness: Iterable[Given]) -> str:
    tree: _Tree = {}
    for given in witness:
        kind, *path = given.subject
        if kind != "call" or given.cell.state == "absent" or given.cell.value is None:
            continue
        node = tree
        for part in path[:-1]:
            inner = node.setdefault(part, {})
            node = inner if isinstance(inner, dict) else {}
        node[path[-1]] = given.cell.value
    return _record(tree)


def _record(tree: _Tree) -> str:
    return ", ".join(
        f"{_word(name)}: " + (f"{{{_record(value)}}}" if isinstance(value, dict) else _value(value))
        for name, value in tree.items()
    )


def _dotted(parts: Sequence[str]) -> str:
    return ".".join(_word(part) for part in parts)


def _word(part: str) -> str:
    return part if _NAME.fullmatch(part) else _text(part)


def _value(value: Plain | None) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return format_duration(value)  # numbers are floats; only durations are whole
        case float():
            return str(int(value)) if value == int(value) else format(value, "f").rstrip("0")
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# --- the whole comparison


def render_comparison(comparison: Comparison, width: int = 80) -> str:
    """The comparison as plain text: weaker outcomes, stronger ones, then settings."""
    lines = [f"{comparison.old} {_ARROW} {comparison.new}", comparison.summary, ""]
    if not comparison.is_exact:
        lines += _wrapped(
            "Some outcomes were too many to compare whole, so rules were compared one by one. "
            "What is listed is real; something may be missing.",
            "",
            width,
        )
        lines.append("")
    weaker = [change for change in comparison.changes if change.is_weaker]
    stronger = [change for change in comparison.changes if not change.is_weaker]
    number = 0
    for heading, changes in (("Weaker outcomes", weaker), ("Stronger outcomes", stronger)):
        if not changes:
            continue
        lines += [heading, ""]
        for change in changes:
            number += 1
            lines += _change(change, number, width)
    lines += _settings(comparison.settings, width)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _change(change: Change, number: int, width: int) -> list[str]:
    rules = change.old_rules if change.is_weaker else change.new_rules
    head = f"{number:>3}. {change.surface:<12} {change.before:>7} {_ARROW} {change.after:<7}"
    lines = [f"{head} {', '.join(rules)}".rstrip()]
    if change.tools and change.tools != (None,):
        named = ", ".join(t for t in change.tools if t is not None)
        rest = " and every other tool" if None in change.tools else ""
        lines += _wrapped(f"on {named}{rest}", " " * 5, width)
    title = f"{change.surface} stays {change.before if change.is_weaker else change.after}"
    lines.append("")
    lines += [f"     {line}" for line in as_test(change, title).splitlines()]
    return [*lines, ""]


def _settings(settings: Sequence[Setting], width: int) -> list[str]:
    if not settings:
        return []
    lines = ["Settings", ""]
    kinds = {setting: _what(setting) for setting in settings}
    pad = min(max(len(what) for what in kinds.values()), max(width // 2, 20))
    for setting in settings:
        mark = "!" if setting.is_weaker else " "
        head = f"  {mark} {kinds[setting]:<{pad}}  "
        lines += _entry(head, _said(setting), width)
    if any(setting.is_weaker for setting in settings):
        lines += ["", "  ! less is caught because of it"]
    return lines


def _what(setting: Setting) -> str:
    name = textwrap.shorten(setting.name, 40, placeholder=" …") if setting.name else ""
    return f"{setting.kind} {name}".strip()


def _said(setting: Setting) -> str:
    if setting.how == "renamed":
        return f"renamed to {setting.after}"
    if setting.how != "changed":
        return setting.how
    before, after = setting.before or "nothing", setting.after or "nothing"
    return f"{setting.field}: {before} {_ARROW} {after}"


def _entry(head: str, text: str, width: int) -> list[str]:
    if len(head) + len(text) <= width:
        return [head + text]
    return [head.rstrip(), *_wrapped(text, " " * 6, width)]


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(indent) + 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
