"""Signs that a text is not written as it is meant to be read.

The patterns stand in the one scan of every text: each is small, and rare in prose, Markdown and
code. They are written for RE2, and a set of them finds the signals of a text that was derived.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

_BLANK = "[ \\t\\n\\r\\x{a0}\\x{2000}-\\x{200a}\\x{3000}]"
_BETWEEN = "[ \\t\\n\\r\\-._*|~^/:\\x{a0}\\x{b7}\\x{2000}-\\x{200a}\\x{3000}]"
_ONE = "[0-9A-Za-z@$!+]"

# Runs are counted from their start: a count from any place would need a state for each set of
# places, and the automaton would grow with the text.
_START = "(?:^|[^0-9A-Za-z])"

GROUP = "[I-Za-f][CDEFGHSTUVWXijklmnyz0123][AEIMQUYcgkosw048BFJNRVZdhlptx159][0-9A-Za-z+/_-]"
"""Four base64 characters that hold three printable ASCII characters."""

# The same without padding at the end of a run: two characters of text, or one.
_LAST = "[I-Za-f](?:[CDEFGHSTUVWXijklmnyz0123][AEIMQUYcgkosw048]|[AQgw])(?:[^0-9A-Za-z]|$)"
_BYTE = "[2-7][0-9A-Fa-f]"

_INK = "[#*@%XO$&+=\\x{2588}\\x{2592}\\x{2593}\\x{25a0}\\x{25cf}]"
_BANNER = (
    f"{_INK}{{1,5}} {{1,9}}{_INK}{{1,5}} {{0,9}}\\r?\\n {{0,9}}{_INK}{{1,5}}"
    f"(?: {{1,9}}{_INK}|\\r?\\n)"
)

# A numbered line, and on the next line a lower number.
_OUT_OF_ORDER = "(?:^|\\n)[ (]*(?:{})[.):] ".format(
    "|".join(f"{n}[.):] [^\\n]*\\n[ (]*[1-{n - 1}]" for n in range(2, 10))
)

_PATTERNS = {
    "spaced": f"(?:^|[^0-9A-Za-z])(?:{_ONE}{_BETWEEN}{{1,3}}){{3}}{_ONE}",
    "leet": "[g-zG-Z][0-9$]{1,2}[A-Za-z]|[A-Za-z][0-9$]{1,2}[g-zG-Z]|[A-Za-z][0-9][!|@$][A-Za-z]"
    "|(?:^|[ \\n\"'(])[013457$][a-z]{3}|[a-z][@!|][a-z0-9]{1,2}[@!|$0-9+]",
    "broken": "[A-Za-z]-\\r?\\n[a-z]|[A-Za-z]-?[\\x0b\\x{85}\\x{2028}\\x{2029}][A-Za-z]"
    "|[A-Za-z]-?\\r?\\n[A-Za-z][A-Za-z' ,.]{0,22}[A-Za-z]-?\\r?\\n[A-Za-z]"
    "|^[A-Za-z]+\\r?\\n[A-Za-z]+$",
    "markup": "[A-Za-z]<(?:!--|/?[A-Za-z]+ ?/?>)(?:</[A-Za-z]+>)?[A-Za-z]|[A-Za-z]<!-- *-->"
    "|[A-Za-z](?:\\*\\*|`)[A-Za-z]|[A-Za-z]\\\\[cdghijklmopqswyzA-Z]"
    "|[A-Za-z]\\\\[A-Za-z ]{1,16}\\\\[A-Za-z]",
    "entity": "&(?:amp;)*#(?:[0-9]|[xX][0-9A-Fa-f])|&[A-Za-z]{2,8};",
    "percent": "%(?:25|[46][1-9A-Fa-f]|[57][0-9Aa])",
    "escape": "\\\\(?:u\\{?[0-9A-Fa-f]{2}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2})",
    "hex": f"{_START}(?:0[xX])?(?:{_BYTE}){{6}}|{_START}[0-9A-Fa-f]{{32}}"
    f"|{_START}(?:{_BYTE}[ ,:-]){{4}}|(?:0[xX]{_BYTE}[ ,;]{{0,2}}){{3}}"
    f"|{_START}[01]{{8}}[ ,_]?[01]{{8}}",
    "base64": f"{_START}(?:{GROUP}){{2}}(?:{GROUP}|{_LAST})|{_START}[0-9A-Za-z]{{24}}"
    "|(?:^|[^0-9A-Za-z+/_-])[0-9A-Za-z+/_-]{40}"
    f"|{_START}[0-9A-Za-z+/]{{6,14}}==|{_START}[0-9A-Za-z+/]{{16}}\\r?\\n[0-9A-Za-z+/]{{8}}"
    f"|{_START}[0-9A-Za-z+/]{{7,15}}=(?:[\\s\"'),.]|$)",
    "morse": "(?:[.\\-\\x{b7}\\x{2212}]{1,6}(?: {1,3}|[ ]?/[ ]?)){4}",
    "parts": "(?i:(?:^|[^A-Za-z])(?:part|piece|chunk|fragment|segment)) ?#?[0-9]{1,2} ?[:=]"
    "|[\"'] ?\\+ ?[\"']",
    "sums": "(?s)[A-Za-z0-9_] ?:?= ?[\"'].*[A-Za-z0-9_] ?\\+ ?[A-Za-z_]",
    "listed": "(?:^|\\n)[ (]*[2-9][.):] ",
    "numbered": _OUT_OF_ORDER,
    "controls": "[\\x00-\\x08\\x0e-\\x1f\\x7f\\x{80}-\\x{84}\\x{86}-\\x{9f}]",
    "banner": _BANNER,
    "turned": "[\\x{250}\\x{254}\\x{1dd}\\x{259}\\x{25f}\\x{265}"
    "\\x{1d09}\\x{29e}\\x{26f}\\x{279}\\x{287}\\x{28c}\\x{28d}\\x{28e}]",
    "braille": "[\\x{2801}-\\x{28ff}]{2}",
    "bidi": "[\\x{202d}\\x{202e}]",
    "carried": "[\\x{fe00}-\\x{fe0f}\\x{e0100}-\\x{e01ef}]{2}|[\\x{e0020}-\\x{e007e}]{2}"
    "|[\\x{2060}\\x{2062}\\x{2064}\\x{200b}-\\x{200d}]{8}",
}  # fmt: skip

TRIGGERS: Mapping[str, str] = MappingProxyType(_PATTERNS)
"""Signal -> RE2 pattern over the raw text. ASCII text without any of them is read as it stands."""


HINTS = frozenset({"listed"})
"""Not signs by themselves: others stand only in texts with one of these."""


class SignSet(NamedTuple):
    """Signs that are searched together, and what stands in every text that has any of them.

    An automaton for all signs at once has the product of their states: a scan of real text then
    spends its time making new ones. Small sets, most of them not even tried, cost a tenth.
    """

    names: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Stretches of which one has to be there. Empty: always tried."""
    after: str = ""
    """A sign of a set before this one that has to be there."""


SIGN_SETS: tuple[SignSet, ...] = (
    SignSet(("spaced", "leet", "broken", "morse", "parts", "controls", "banner", "hex", "listed")),
    SignSet(("base64",)),
    SignSet(("entity",), ("&",)),
    SignSet(("percent",), ("%",)),
    SignSet(("escape", "markup"), ("\\", "<", "`", "**")),
    SignSet(("sums",), ("=",)),
    SignSet(("numbered",), ("1.", "1)", "1:"), "listed"),
)
"""The signs of ASCII text. Any other text is looked at more closely anyway, by `views_of`."""

_EVERY_SET = (*SIGN_SETS, SignSet(("turned", "braille", "bidi", "carried")))
_NO_NEED = ("",)

LOCAL: frozenset[str] = frozenset()
"""Signals that a stream can follow without seeing the whole text."""

MAX_MEM = 64 << 20


@cache
def _searched(signs: SignSet) -> Callable[[bytes], Sequence[int]]:
    import re2

    options = re2.Options()
    options.max_mem = MAX_MEM
    options.log_errors = False
    made = re2.Set.SearchSet(options)
    for name in signs.names:
        made.Add(_PATTERNS[name])
    made.Compile()
    # The bare method of the binding: its wrapper copies what it returns.
    match: Callable[[bytes], Sequence[int]] = made._set.Match
    return match


_SURROGATES = re.compile("[\ud800-\udfff]+")


def signals_of(text: str) -> frozenset[str]:
    """The signals in a text that no scan has looked at: a decoded or a folded one."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # A lone surrogate is part of no pattern, and neither is what stands for it here.
        data = _SURROGATES.sub("\ufffd", text).encode()
    found: list[str] = []
    for signs in SIGN_SETS if text.isascii() else _EVERY_SET:
        if signs.after and signs.after not in found:
            continue
        for need in signs.needs or _NO_NEED:
            if need in text:
                found += [signs.names[at] for at in _searched(signs)(data)]
                break
    return frozenset(found) - HINTS
