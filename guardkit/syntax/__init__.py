"""From policy text to a frozen tree, and back: grammar loading, parse, nodes, formatter."""

from . import _ast as ast
from ._parse import EDITION, Parsed, parse
from ._tables import build_tables

__all__ = ["EDITION", "Parsed", "ast", "build_tables", "parse"]
