"""Where verbs write: data on stdout, words for people on stderr, each as its terminal allows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import TextIOWrapper
from typing import TextIO

import click

from guardkit.diagnostics import visible

_STYLES = {
    "good": "32",
    "bad": "1;31",
    "warn": "1;33",
    "info": "36",
    "strong": "1",
    "dim": "2",
}
_PLAIN = str.maketrans(
    {"·": "-", "…": "...", "→": "->", "×": "x", "µ": "u", "≥": ">=", "≤": "<="}
    | {"├": "|", "└": "`", "│": "|", "─": "-"}
)
_WIDEST = 120
_NARROWEST = 40
_USUAL = 80


@dataclass(slots=True)
class Stream:
    """One output stream, and what it can show."""

    file: TextIO
    color: bool
    width: int
    ascii: bool

    def write(self, text: str) -> None:
        self.file.write(text.translate(_PLAIN) if self.ascii else text)

    def line(self, text: str = "") -> None:
        self.write(text + "\n")

    def data(self, text: str) -> None:
        """What a program or a file will read: UTF-8, whatever the terminal speaks."""
        below = getattr(self.file, "buffer", None)
        if below is None:
            self.file.write(text)
            return
        self.file.flush()
        below.write(text.encode("utf-8", "surrogateescape"))
        below.flush()

    def paint(self, text: str, style: str) -> str:
        """`text` in a style, or as it is where colours are off."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color and text else text


@dataclass(slots=True)
class Screen:
    """Both streams of one run, and how much the user wants to be told."""

    out: Stream
    err: Stream
    quiet: bool = False
    progress: bool = True
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def say(self, text: str = "") -> None:
        """A line for people; `--quiet` leaves it out."""
        if not self.quiet:
            self.err.line(text)

    def complain(self, text: str) -> None:
        """A line for people that no option leaves out."""
        self.err.line(f"{self.err.paint('error', 'bad')}: {text}")


def quoted(text: str) -> str:
    """Text in quotes, with nothing in it that a terminal would obey."""
    return visible(json.dumps(text, ensure_ascii=False))


def screen() -> Screen:
    """The screen of the verb that runs now."""
    context = click.get_current_context()
    made = context.meta.get("guardkit.screen")
    if not isinstance(made, Screen):
        made = open_screen(os.environ)
        context.meta["guardkit.screen"] = made
    made.quiet = bool(context.meta.get("guardkit.quiet"))
    made.progress = made.progress and not made.quiet and not context.meta.get("guardkit.still")
    return made


def open_screen(environment: Mapping[str, str]) -> Screen:
    """Both streams of this process, judged by the environment and by what they are tied to."""
    err = _stream(sys.stderr, environment)
    progress = err.file.isatty() and not _is_set(environment, "CI")
    return Screen(_stream(sys.stdout, environment), err, False, progress, environment)


def _stream(file: TextIO | None, environment: Mapping[str, str]) -> Stream:
    if file is None:  # closed by whoever started us
        file = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as we do
    if isinstance(file, TextIOWrapper):
        # A file name may hold bytes that are no text, and a terminal may know few characters.
        file.reconfigure(errors="backslashreplace")
    encoding = (getattr(file, "encoding", None) or "ascii").lower().replace("-", "").strip()
    is_terminal = file.isatty()
    return Stream(
        file,
        color=_wants_color(environment, is_terminal),
        width=_width(file, environment) if is_terminal else _asked_width(environment) or _USUAL,
        ascii=not encoding.startswith(("utf", "cp65001")),
    )


def _wants_color(environment: Mapping[str, str], is_terminal: bool) -> bool:
    if _is_set(environment, "NO_COLOR"):
        return False
    forced = environment.get("FORCE_COLOR")
    if forced is not None:
        return forced not in ("", "0", "false")
    return is_terminal and environment.get("TERM") != "dumb"


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "")
    return value != "" if name == "NO_COLOR" else value.lower() not in ("", "0", "false")


def _width(file: TextIO, environment: Mapping[str, str]) -> int:
    asked = _asked_width(environment)
    if asked:
        return asked
    try:
        return _clamped(os.get_terminal_size(file.fileno()).columns or _USUAL)
    except (OSError, ValueError):
        return _USUAL


def _asked_width(environment: Mapping[str, str]) -> int:
    asked = environment.get("COLUMNS", "")
    return _clamped(int(asked)) if asked.isdecimal() and len(asked) < 6 and int(asked) else 0


def _clamped(columns: int) -> int:
    return min(max(columns, _NARROWEST), _WIDEST)
