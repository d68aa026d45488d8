"""One page for each family of diagnostics, every code of it in a part of its own."""

from __future__ import annotations

import re
from itertools import groupby

from guardkit.cli._explain import page_of
from guardkit.diagnostics import CODES, Code

from ._markdown import code, page, table

FAMILIES = {
    "GK1": ("syntax", "Syntax", "The text is not a policy."),
    "GK2": ("meaning", "Meaning", "The policy does not mean anything."),
    "GK3": ("plan", "Plan", "What the policy costs and holds back."),
    "GK4": ("lint", "Lint", "The policy means something, but hardly what was meant."),
}


def diagnostics_pages() -> dict[str, str]:
    """A page for each family, behind a table of all codes."""
    codes = sorted(CODES.values(), key=lambda each: each.id)
    families = {family: list(group) for family, group in groupby(codes, lambda each: each.id[:3])}
    first = page(
        "All diagnostics",
        "`guardkit check` says everything that is wrong at once, with its place and what was"
        " probably"
        " meant. Codes are stable and never reused; `guardkit explain GK201` prints one of these"
        " parts.",
        table(
            ("code", "name", "level", "what it says"),
            [
                (
                    f"[{one.id}]({FAMILIES[one.id[:3]][0]}.md#{one.id.lower()})",
                    code(one.slug),
                    one.level,
                    one.title,
                )
                for one in codes
            ],
        ),
    )
    pages = {"diagnostics/index.md": first}
    for family, group in families.items():
        name, title, claim = FAMILIES[family]
        pages[f"diagnostics/{name}.md"] = page(title, claim, *(_part(one) for one in group))
    return pages


def _part(one: Code) -> str:
    text = page_of(one)
    assert text is not None, f"{one.id} has no page"
    body = text.partition("\n")[2].strip()
    # The headings of a page stand one level lower here, outside of blocks of code.
    pieces = re.split(r"(^```.*?^```$)", body, flags=re.MULTILINE | re.DOTALL)
    lowered = "".join(
        piece if piece.startswith("```") else re.sub(r"^## ", "### ", piece, flags=re.MULTILINE)
        for piece in pieces
    )
    return (
        f"## {one.id} {one.slug} {{#{one.id.lower()}}}\n\n*{one.level}*: {one.title}\n\n{lowered}"
    )
