"""From the grammar to parse tables: the one file that needs lark.

Lark reads the grammar, proves it free of conflicts and computes the LALR tables; what is kept of
that is plain data, so that a process which only parses never imports lark.
"""

from __future__ import annotations

import json
import re
from typing import Any

import lark

# Lark computes these and its attributes are not typed for outsiders: `Any` stands for its table
# of {state: {symbol: (action, state or rule)}} and for its rule objects.
_Table = dict[int, dict[str, tuple[Any, Any]]]


def compile_tables(grammar: str, digest: str) -> dict[str, Any]:
    """The tables for a grammar, as plain data that JSON can hold; equal grammars, equal tables.

    Raises:
        lark.exceptions.GrammarError: The grammar is not well formed, or has a conflict.
    """
    built = lark.Lark(
        grammar, parser="lalr", lexer="basic", keep_all_tokens=True, maybe_placeholders=False
    )
    lalr: Any = built.parser
    table = lalr.parser._parse_table
    start: int = table.start_states["start"]
    states: _Table = table.states
    numbers = _numbered(states, start)
    rules = sorted(built.rules, key=_rule_key)
    rule_number = {id(rule): number for number, rule in enumerate(rules)}
    symbols = sorted({name for state in numbers for name in states[state]})
    symbol_number = {name: number for number, name in enumerate(symbols)}
    rows = []
    for old in numbers:
        moves: list[tuple[int, int]] = []
        reductions: dict[int, list[int]] = {}
        for name, (action, argument) in states[old].items():
            symbol = symbol_number[name]
            if action.name == "Shift":
                moves.append((symbol, numbers[argument]))
            else:
                reductions.setdefault(rule_number[id(argument)], []).append(symbol)
        rows.append((moves, reductions))
    # Most lookahead sets recur: each is stored once.
    lookaheads = sorted({tuple(sorted(found)) for _, r in rows for found in r.values()})
    lookahead_number = {found: number for number, found in enumerate(lookaheads)}
    return {
        "grammar": digest,
        **_lexer(built),
        "soft": _soft_words(built),
        "rules": [_rule(rule) for rule in rules],
        "symbols": symbols,
        "start": numbers[start],
        "end": numbers[table.end_states["start"]],
        "lookaheads": [list(found) for found in lookaheads],
        "states": [
            [
                [number for move in sorted(moves) for number in move],
                [
                    number
                    for rule, found in sorted(reductions.items())
                    for number in (rule, lookahead_number[tuple(sorted(found))])
                ],
            ]
            for moves, reductions in rows
        ],
    }


def dump_tables(tables: dict[str, Any]) -> str:
    """The text of `tables.json`."""
    return json.dumps(tables, separators=(",", ":")) + "\n"


def _lexer(built: lark.Lark) -> dict[str, Any]:
    """Terminals in the order in which they are tried, and the words that only look like names."""
    terminals = sorted(
        built.terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name),
    )
    words = {t.pattern.value: t.name for t in terminals if t.pattern.type == "str"}
    name = next(t for t in terminals if t.name == "NAME")
    ignored = set(built.ignore_tokens)
    return {
        "ignore": sorted(t.pattern.to_regexp() for t in terminals if t.name in ignored),
        "terminals": [
            [t.name, t.pattern.to_regexp()]
            for t in terminals
            if t.name not in ignored
            and (t.pattern.type == "re" or not re.fullmatch(name.pattern.value, t.pattern.value))
        ],
        "words": dict(sorted(words.items())),
    }


def _soft_words(built: lark.Lark) -> list[str]:
    """The words that have a meaning in their place and may be names elsewhere."""
    kinds = {
        rule.expansion[0].name
        for rule in built.rules
        if rule.origin.name in {"name", "soft", "unit"} and rule.expansion[0].is_term
    }
    return sorted(t.pattern.value for t in built.terminals if t.name in kinds - {"NAME"})


def _rule_key(rule: Any) -> tuple[str, list[str], str]:
    return (rule.origin.name, [symbol.name for symbol in rule.expansion], rule.alias or "")


def _rule(rule: Any) -> list[Any]:
    """Origin, length, the builder's method (none: the only child stands for the rule), and the
    children that are repetitions and are spliced in."""
    origin = rule.origin.name
    spliced = [
        i
        for i, symbol in enumerate(rule.expansion)
        if not symbol.is_term and symbol.name.startswith("_")
    ]
    if origin.startswith("_"):
        action = "*"
    elif len(rule.expansion) == 1 and not spliced and rule.options.expand1 and not rule.alias:
        action = ""
    else:
        action = rule.alias or rule.options.template_source or origin
    return [origin, len(rule.expansion), action, spliced]


def _numbered(states: _Table, start: int) -> dict[int, int]:
    """New state numbers in order of discovery, so that equal grammars give equal tables."""
    todo = [start]
    numbers = {start: 0}
    for state in todo:
        row = states[state]
        for name in sorted(row):
            action, target = row[name]
            if action.name == "Shift" and target not in numbers:
                numbers[target] = len(numbers)
                todo.append(target)
    return numbers
