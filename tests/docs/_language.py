"""The tables of the language: its words, actions, surfaces, tiers, types, disguises, grammar."""

from __future__ import annotations

from pathlib import Path

from guardkit.checks import DISGUISES, VALIDATORS
from guardkit.semantics._refs import EXAMPLES
from guardkit.semantics._rules import DEFAULT_TIERS, MODES
from guardkit.semantics._values import TYPES
from guardkit.syntax._words import CLAUSES_OF, DECLARATIONS, EXPECT_SHAPES, SHAPES
from guardkit.types import SEVERITIES

from ._markdown import code, fenced, page, table

GRAMMAR = Path(__file__).parents[2] / "grammars" / "guardkit.lark"

_ACTIONS = (
    ("block", "the text does not go on; the message does", 'block "I can\'t show that."'),
    ("hold", "it waits for somebody", SHAPES["hold"]),
    ("revise", "the model writes it again, by a principle", SHAPES["revise"]),
    ("rewrite", "what matched is replaced; the rest goes on", SHAPES["rewrite"]),
    ("flag", "it goes on, and is counted", "flag"),
    ("pass", "it goes on; only as the `else` of another action", "pass"),
)
_SURFACES = (
    ("input", "what the user, the system prompt and the definitions of tools say"),
    ("retrieved", "documents that a search found"),
    ("tool_call", "what the model asks a tool to do, before it is done"),
    ("tool_result", "what a tool gave back"),
    ("output", "what the model says, its reasoning included"),
    ("conversation", "the session as a whole: windows and sequences, after each event"),
)
_FORMS = (
    ('rewrite matches as "[{label}]"', "a text for every match; `{label}` is its kind in capitals"),
    ("rewrite matches as mask keep last 4", "stars, but for the last characters"),
    ("rewrite matches as hash", "a keyed hash: equal values have equal hashes"),
    ("rewrite matches as pseudonym", "`[CARD_1]`, turned back in what the same session gets"),
    ('rewrite all as "…"', "another text in place of the whole"),
)
_CONDITIONS = (
    ("`card`", "a check that says yes or no"),
    ("`toxicity.classifier >= 0.7`", "a score against a threshold, 0 to 1"),
    ("`toxicity.classifier at fpr 0.5%`", "the threshold at which so many harmless texts are hit"),
    ("`size > 4000`", "a number"),
    ('`refusal.kind == "full"`', "a label"),
    ('`context.channel == "mail"`', "a fact that the program gives"),
    ("`call.to.domain not in company_domains`", "an argument of a tool call"),
    ("`probing >= 3`", "a window"),
    ("`sequence poisoned_then_sent`", "a sequence"),
    ("`a and b`, `a or b`, `not a`", "`and` and `or` do not mix without brackets"),
    ("`2 of (a, b >= 0.8, c)`", "a quorum; also `any of`, `all of`, `none of`"),
    ("`cascade { yes if a  no if b  else no }`", "step by step, the cheap ones first"),
)


def language_pages() -> dict[str, str]:
    """One page of tables, one with the grammar."""
    return {"language.md": _tables(), "grammar.md": _grammar()}


def _tables() -> str:
    return page(
        "Language",
        "A policy is a text file that ends in `.guard`. A letter in the first column begins a"
        " declaration;"
        " clauses begin with a word and need no separator; `#` begins a comment. The first line"
        " says the"
        " edition: `guardkit 1`.",
        "## Declarations",
        table(
            ("word", "how it is written", "clauses"),
            [
                (
                    code(word),
                    _shape(word),
                    " ".join(code(each) for each in CLAUSES_OF.get(word, ())),
                )
                for word in DECLARATIONS
            ],
        ),
        "## Surfaces",
        table(("surface", "what is judged there"), [(code(a), b) for a, b in _SURFACES]),
        "## Actions",
        "Strongest first. The verdict is the strongest action of all rules that fired; nothing"
        " takes"
        " away what another rule does.",
        table(
            ("action", "what happens", "written"), [(code(a), b, code(c)) for a, b, c in _ACTIONS]
        ),
        table(("rewriting", "puts there"), [(code(a), b) for a, b in _FORMS]),
        "## Tiers",
        "Highest first. A tier says what its rules may do, and what follows when a check could"
        " not answer."
        " A rule may be stricter than its tier, never laxer; a tier may be narrowed"
        f" with {code(SHAPES['tier'])}.",
        table(
            ("tier", "may", "without an answer"),
            [
                (code(tier.name), " ".join(code(verb) for verb in tier.may), code(tier.on_error))
                for tier in DEFAULT_TIERS
            ],
        ),
        f"Severities order rules of one tier: {' > '.join(code(s) for s in SEVERITIES)}; `medium`"
        f" where"
        f" none is said. Modes: {', '.join(code(mode) for mode in MODES)}.",
        "## Conditions",
        "Every condition is *yes*, *no* or *unknown*. An unknown that cannot change the outcome"
        " does no"
        " harm; one that can reaches the rule, and `on_error` decides.",
        table(("condition", "asks"), _CONDITIONS),
        "## Settings",
        table(
            ("setting", "written"),
            [
                ("time a surface may take", code("budget input 25ms")),
                ("time a chunk of a stream may take", code("budget output 40ms per chunk")),
                ("share of refusals that is fine", code("budget refusals 2%")),
                ("how much of a stream waits", "`hold_back 64 chars`, `hold_back all`"),
                ("how long one match may wait", code(SHAPES["hold_limit"])),
                ("how long a session is kept", code("session_ttl 24h")),
                ("what cannot be read", "`unread block`, `unread flag`"),
            ],
        ),
        "## Types of parameters",
        f"{', '.join(code(each) for each in sorted(TYPES))}; `list of` any of them.",
        "## Tests and probes",
        table(
            ("block", "expects"),
            [(code(name), code(shape)) for name, shape in EXPECT_SHAPES.items()],
        ),
        f"A probe may put its cases into disguises: {', '.join(code(name) for name in DISGUISES)}.",
        "## Validators of patterns",
        f"{', '.join(code(name) for name in VALIDATORS)}.",
        "## References",
        "`refs` are checked against pinned tables.",
        table(("kind", "written"), [(name, code(shown)) for name, shown in EXAMPLES.items()]),
    )


def _shape(word: str) -> str:
    shape = SHAPES.get(word)
    if shape is None:
        return f"{code(word)} …" if word in ("policy", "module") else code(word + " { … }")
    return code(shape)


def _grammar() -> str:
    return page(
        "Grammar",
        "What the parser is made from, in Lark's notation: LALR(1), a basic lexer, no conflicts.",
        fenced(GRAMMAR.read_text(encoding="utf-8"), "text"),
    )
