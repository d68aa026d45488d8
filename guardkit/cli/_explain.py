"""`guardkit explain`: the page of a diagnostic, or the decision tree of one verdict."""

from __future__ import annotations

import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

import guardkit.diagnostics as diagnostics
from guardkit.diagnostics import CODES, Code, code_by_id, nearest, visible
from guardkit.types import Surface

from ._exits import CLEAN, WRONG
from ._policies import CONTEXT, OVERLAY, PACKS, PARAM, STD, Params, facts_of, on_option
from ._screen import Screen, screen
from ._verbs import verb

if TYPE_CHECKING:
    from guardkit.packs import Installed

_FAMILIES = {
    "GK1": "Syntax: the text is not a policy",
    "GK2": "Meaning: the policy does not mean anything",
    "GK3": "Plan: what the policy costs and holds back",
    "GK4": "Lint: the policy means something, but hardly what was meant",
}


@verb("explain")
@click.argument("words", nargs=-1, metavar="CODE | FILE TEXT")
@click.option("--list", "lists", is_flag=True, help="List every code.")
@on_option("TEXT")
@click.option("--tool", metavar="NAME", help="The tool that TEXT calls, with a JSON object.")
@click.option("--show-values", is_flag=True, help="Show what was found and what TEXT becomes.")
@CONTEXT
@PARAM
@PACKS
@OVERLAY
@STD
def command(
    words: tuple[str, ...],
    lists: bool,
    on: Surface,
    tool: str | None,
    show_values: bool,
    facts: Params,
    params: Params,
    packs: Installed | None,
    overlay: Path | None,
    std: Path | None,
) -> int:
    """Show the page of a diagnostic, or why a policy judges a text as it does.

    CODE is an id such as GK201, or its name, such as unknown-check. With FILE and TEXT the verdict
    is shown, then every rule of the surface as a tree of conditions and what each answered. FILE is
    a policy, or the name of one that ships; `-` reads TEXT from standard input.
    """
    show = screen()
    if lists:
        show.out.write(_list(show))
        return CLEAN
    if not words:
        raise click.UsageError("Name a code, such as GK201, or list them all with --list.")
    if len(words) > 1 or words[0].endswith(".guard"):
        if len(words) != 2:
            raise click.UsageError("Name a policy and one text: guardkit explain FILE TEXT.")
        # Imported here: the page of a code needs no engine.
        from guardkit.guard import Case

        from ._explain_verdict import explain_verdict

        case = Case("", words[1], on, facts_of(facts), tool=tool)
        return explain_verdict(
            show, words[0], case, dict(params), std, packs, overlay, show_values=show_values
        )
    code = _find(words[0])
    if code is None:
        show.complain(f"there is no code `{visible(words[0])}`; {_advice(words[0])}")
        return WRONG
    _show(show, code, page_of(code))
    return CLEAN


def _find(word: str) -> Code | None:
    return code_by_id(f"GK{word}" if word.isdecimal() else word)


def _advice(word: str) -> str:
    everything = "`guardkit explain --list` lists them all"
    if word.upper().removeprefix("GK").isdecimal():
        return everything  # a number near another one means nothing
    near = nearest(word.lower(), CODES) or nearest(word.upper(), [c.id for c in CODES.values()])
    return f"did you mean `{near}`?" if near else everything


def page_of(code: Code) -> str | None:
    """The page of a code, if it has been written."""
    path = Path(diagnostics.__file__).parent / "pages" / f"{code.id}.md"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _show(show: Screen, code: Code, page: str | None) -> None:
    title = f"{code.id} {code.slug} ({code.level})"
    if page is None:
        show.out.write(f"{show.out.paint(title, 'strong')}\n\n{_sentence(code.title)}\n")
    elif show.out.color:
        # Imported here: it takes longer to load than all the rest of this verb.
        from ._page import draw_page

        show.out.write(draw_page(page, show.out.width))
    else:
        show.out.write(page)


def _sentence(title: str) -> str:
    return f"{title[:1].upper()}{title[1:]}."


def _list(show: Screen) -> str:
    lines: list[str] = []
    codes = sorted(CODES.values(), key=lambda code: code.id)
    widest = max(len(code.slug) for code in codes)
    for family, group in groupby(codes, key=lambda code: code.id[:3]):
        lines += ["", show.out.paint(_FAMILIES.get(family, family), "strong")]
        for code in group:
            head = f"  {code.id}  {code.slug:<{widest}}  "
            pieces = [code.title]
            if show.out.file.isatty():  # in a pipe a code is a line, for grep
                pieces = textwrap.wrap(code.title, max(show.out.width - len(head), 20))
            lines.append(head + pieces[0])
            lines += [" " * len(head) + piece for piece in pieces[1:]]
    return "\n".join(lines[1:]) + "\n"
