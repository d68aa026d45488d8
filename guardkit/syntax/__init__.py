"""From policy text to a frozen tree, and back: grammar loading, parse, nodes, formatter."""

from . import _ast as ast
from ._decode import decode
from ._format import NotFormattedError, format_file, format_source, unparse
from ._parse import EDITION, Parsed, parse
from ._tables import build_tables

__all__ = [
    "EDITION",
    "NotFormattedError",
    "Parsed",
    "ast",
    "build_tables",
    "decode",
    "format_file",
    "format_source",
    "parse",
    "unparse",
]
