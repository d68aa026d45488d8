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

import re
from collections.abc import Iterator, Mapping, Sequence

from guardkit._util.values import is_domain_pattern
from guardkit.catalog import CheckSpec, Form, Hit, PropertySpec, Setting
from guardkit.errors import BindError

from ._addresses import MARKUP, RUNNING, outside
from ._files import content_of
from ._hosts import Hosts
from ._matches import outermost
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


def bind(config: Mapping[str, object], setting: Setting) -> LinksFinder:
    """A finder for links that lead elsewhere.

    Raises:
        BindError: The file cannot be used, or one of its lines is not a host.
    """
    listed = config.get("allow")
    hosts = [str(host) for host in listed] if isinstance(listed, tuple) else []
    if "file" in config:
        hosts += _lines(config["file"], setting)
    return LinksFinder(Hosts(hosts))


def _lines(file: object, setting: Setting) -> Iterator[str]:
    """The hosts in a file."""
    assert isinstance(file, tuple)
    try:
        text = content_of(setting, file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BindError(f"the file `{file[0]}` is not UTF-8 text") from None
    for number, line in enumerate(text.splitlines(), 1):
        host = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if host and not is_domain_pattern(host):
            raise BindError(f"line {number} of the file `{file[0]}` is not a host")
        if host:
            yield host


class LinksFinder:
    """Finds links that lead elsewhere; implements `Finder`.

    Args:
        hosts: The hosts that may be linked.
    """

    __slots__ = ("_hosts",)

    key_words: tuple[str, ...] = ()
    spaced = 64
    """Addresses have no blanks; what stands before one in markup is seen again with it."""
    words: tuple[str, ...] = ()

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    def needles(self, form: Form) -> tuple[str, ...]:
        """What every address has. Loose text has lost where a host ends."""
        return (*RUNNING, *MARKUP) if form == "plain" else ()

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Each address that leads to a host that is not allowed."""
        has_markup = any(needle >= len(RUNNING) for needle in seen)
        found = outermost(outside(text, self._hosts, has_markup=has_markup))
        return [Hit(start, end) for start, end in found]
