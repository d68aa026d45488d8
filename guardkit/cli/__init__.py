"""The command line: thin verbs that print, exit and decide nothing."""

from ._main import app, main

__all__ = ["app", "main"]
