"""The page of a diagnostic drawn for a terminal with colours."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.padding import Padding
from rich.text import Text
from rich.theme import Theme

_THEME = Theme(
    {
        "markdown.h1": "bold",
        "markdown.h2": "bold cyan",
        "markdown.h3": "bold",
        "markdown.code": "cyan",
        "markdown.item.bullet": "default",
    }
)


def draw_page(page: str, width: int) -> str:
    """Markdown as text with ANSI colours, at most `width` columns wide."""
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        legacy_windows=False,
        highlight=False,
        theme=_THEME,
    )
    with console.capture() as drawn:
        console.print(_Page(page))
    lines = (line.rstrip() for line in drawn.get().splitlines())
    return "\n".join(_without_doubles(lines)) + "\n"


def _without_doubles(lines: Iterator[str]) -> Iterator[str]:
    """The lines without blank ones at the start, at the end or in a row."""
    is_blank = True
    held = False
    for line in lines:
        if line:
            if held:
                yield ""
            yield line
            is_blank, held = False, False
        else:
            held = not is_blank


class _Heading(Heading):
    """On the left; the default is centred and boxed."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.text.copy()
        text.justify = "left"
        yield Text("")
        yield text


class _CodeBlock(CodeBlock):
    """Indented, in one colour: a policy needs no highlighter to be read."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Text(str(self.text).rstrip("\n"), style="green", no_wrap=True, overflow="ignore")
        yield Padding(code, (0, 0, 0, 4))


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
    }
