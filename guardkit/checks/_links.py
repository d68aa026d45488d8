"""Answers yes where a link leads to a host outside the allow list.

Each such link is a span. It finds every form: bare, Markdown inline and reference, images, HTML,
autolinks, links split over the chunks of a stream. The decision is on the parsed host, in lower
case and ASCII form, so `northbank.example.evil.test` and `northbank.example@evil.test` are outside.
A link whose host cannot be parsed is outside: `https:\\\\evil.test`, `data:`, `javascript:`. So is
a link with another address in it, coded or not, that leads outside. A `mailto:` leads to the hosts
of its addresses; a plain e-mail address is no link. Without `allow` and `file`, every link is
outside.

Why it matters
    A link or an image that loads by itself is the usual way for injected text to carry data out:
    the secret travels in the address. A host list stops it whatever the wording.

Known misses
    An allowed host that redirects elsewhere, a host spelled in words or without `https://` and
    `www.` outside of markup, a shortener you allowed. It reads addresses, it does not open them. An
    international host is also read without its accents: allow both spellings.

Example
    check our_links = links {
      allow ["northbank.example", "*.northbank.example"]
    }

Options
    allow: hosts that may be linked; `*.` in front for sub-domains, which does not cover the host
        itself
    file: a text file inside the policy's folder, one host a line, `#` begins a comment; joins
        `allow`
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out

Cost
    Shares `scan`: about 13 µs for 1 KB; each link found costs about 13 µs to parse.

Data it reads
    The text and its views; its file, when the policy is compiled. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import LABEL, VIEWS
from ._shared_costs import scan_cost

SPEC = CheckSpec(
    kind="links",
    summary="Answers yes where a link leads to a host outside the allow list",
    answers="answer",
    cost=scan_cost(13.0),
    properties=(
        PropertySpec("allow", "domains", "hosts that may be linked"),
        PropertySpec("file", "file", "a text file, one host a line"),
        LABEL,
        VIEWS,
    ),
    spans=True,
    width=2_048,
    yes_rate=0.05,
)
