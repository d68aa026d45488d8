"""The parser of this process: from tables built ahead of time, or from the grammar itself.

Computing LALR tables takes half a second, loading them milliseconds. `tables.json` holds them as
plain data and is used only while it was made from the grammar as it stands.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from ._build import Builder
from ._machine import Machine

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
def parser() -> Machine:
    """The one parser of this process; immutable after it is made, shared by all threads."""
    return Machine(load_tables(), Builder())


def load_tables() -> dict[str, Any]:
    """The stored tables, or new ones where those are missing or belong to another grammar."""
    grammar = grammar_text()
    try:
        tables = json.loads(TABLES.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        tables = None
    if isinstance(tables, dict) and tables.get("grammar") == _digest(grammar):
        return tables
    # Imported here because lark takes longer to import than the tables take to load.
    from ._compile import compile_tables

    return compile_tables(grammar, _digest(grammar))


def build_tables() -> str:
    """The text of `tables.json` for the grammar as it stands."""
    from ._compile import compile_tables, dump_tables

    grammar = grammar_text()
    return dump_tables(compile_tables(grammar, _digest(grammar)))


def has_fresh_tables() -> bool:
    """Whether `tables.json` is what the grammar as it stands makes.

    Raises:
        OSError: The grammar is missing.
    """
    try:
        return TABLES.read_text(encoding="utf-8") == build_tables()
    except ValueError:  # it is no text
        return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
