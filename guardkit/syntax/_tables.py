"""The parser: from tables built ahead of time, or from the grammar where they do not fit.

Building LALR tables takes a third of a second, loading them milliseconds. `tables.json` holds them
as plain data (lark's own cache would be a pickle) and is used only when the grammar and lark's
version are the ones it was built from.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import lark
from lark.lark import Rule, TerminalDef
from lark.parsers.lalr_analysis import IntParseTable, Reduce, Shift
from lark.parsers.lalr_parser import _Parser

from ._build import Builder

TABLES = Path(__file__).with_name("tables.json")


def grammar_text() -> str:
    """The grammar: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "_grammars", package.parent / "grammars"):
        path = folder / "guardkit.lark"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError("grammars/guardkit.lark is missing from this installation")


@cache
def parser() -> lark.Lark:
    """The one parser of this process; immutable after it is made, shared by all threads."""
    try:
        tables = json.loads(TABLES.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _from_grammar(Builder())
    if tables["lark"] != lark.__version__ or tables["grammar"] != _digest(grammar_text()):
        return _from_grammar(Builder())
    return _from_tables(tables, Builder())


def build_tables() -> str:
    """The text of `tables.json` for the grammar as it stands."""
    built = _from_grammar(None)
    data, memo = built.memo_serialize([TerminalDef, Rule])
    table = data["parser"]["parser"]
    numbers, names = _numbered(table)
    states = []
    for old in numbers:
        moves: dict[str, int] = {}
        reductions: dict[int, list[str]] = {}
        for token, (action, argument) in table["states"][old].items():
            if action:
                reductions.setdefault(argument["@"], []).append(names[token])
            else:
                moves[names[token]] = numbers[argument]
        ordered = {rule: sorted(tokens) for rule, tokens in sorted(reductions.items())}
        states.append([dict(sorted(moves.items())), ordered])
    # Most lookahead sets recur: each is stored once.
    lookaheads = sorted({tuple(t) for _, r in states for t in r.values()})
    number_of = {tokens: number for number, tokens in enumerate(lookaheads)}
    rows = [
        [moves, [[rule, number_of[tuple(tokens)]] for rule, tokens in reductions.items()]]
        for moves, reductions in states
    ]
    data["parser"]["parser"] = {"tokens": {}, "states": {}, "start_states": {}, "end_states": {}}
    blob = {
        "lark": lark.__version__,
        "grammar": _digest(grammar_text()),
        "data": data,
        "memo": memo,
        "start": numbers[table["start_states"]["start"]],
        "end": numbers[table["end_states"]["start"]],
        "lookaheads": lookaheads,
        "states": rows,
    }
    return json.dumps(blob, separators=(",", ":")) + "\n"


def _from_grammar(builder: Builder | None) -> lark.Lark:
    return lark.Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=builder,
    )


def _from_tables(tables: dict[str, Any], builder: Builder) -> lark.Lark:
    memo = {int(number): entry for number, entry in tables["memo"].items()}
    made = lark.Lark._load_from_dict(tables["data"], memo, transformer=builder)
    rules = {
        entry["@"]: rule for entry, rule in zip(tables["data"]["rules"], made.rules, strict=True)
    }
    lookaheads = tables["lookaheads"]
    states = {}
    for number, (moves, reductions) in enumerate(tables["states"]):
        row: dict[str, Any] = {token: (Shift, target) for token, target in moves.items()}
        for rule, tokens in reductions:
            row.update(dict.fromkeys(lookaheads[tokens], (Reduce, rules[rule])))
        states[number] = row
    table = IntParseTable(states, {"start": tables["start"]}, {"start": tables["end"]})
    lalr = made.parser.parser
    lalr._parse_table = table
    lalr.parser = _Parser(table, lalr.parser.callbacks)
    return made


def _numbered(table: dict[str, Any]) -> tuple[dict[int, int], dict[int, str]]:
    """New state numbers in order of discovery, so that equal grammars give equal tables."""
    names = table["tokens"]
    todo = [table["start_states"]["start"]]
    numbers = {todo[0]: 0}
    for state in todo:
        row = table["states"][state]
        for token in sorted(row, key=names.__getitem__):
            action, target = row[token]
            if not action and target not in numbers:
                numbers[target] = len(numbers)
                todo.append(target)
    return numbers, names


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
