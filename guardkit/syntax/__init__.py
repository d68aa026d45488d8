"""From policy text to a frozen tree, and back: grammar loading, parse, nodes, formatter."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

from . import _ast as ast
from ._characters import check_characters
from ._comments import comments_of
from ._decode import decode
from ._parse import EDITION, Parsed, parse
from ._tables import build_tables, has_fresh_tables, load_tables

if TYPE_CHECKING:
    from ._format import NotFormattedError, format_file, format_source, unparse

__all__ = [
    "EDITION",
    "NotFormattedError",
    "Parsed",
    "ast",
    "build_tables",
    "check_characters",
    "comments_of",
    "decode",
    "format_file",
    "format_source",
    "has_fresh_tables",
    "load_tables",
    "parse",
    "unparse",
]

# Checking a policy needs no formatter, and a command line starts often.
__getattr__ = loader(
    __name__, {"_format": ("NotFormattedError", "format_file", "format_source", "unparse")}
)
