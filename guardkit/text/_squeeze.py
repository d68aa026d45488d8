"""Letters that were pulled apart, written together again; and the loose form of a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from ._view import Trail, View

LOOSE_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        char: to
        for to, chars in {
            "i": "il1!|", "a": "a4@", "e": "e3", "o": "o0", "s": "s5$", "t": "t7+", "b": "b8",
            "g": "g9", "z": "z2",
        }.items()
        for char in chars
    }
)  # fmt: skip
"""What a letter, digit or sign is written as in a loose view. Upper case becomes lower case."""

_LOOSE = {ord(char): ord(to) for char, to in LOOSE_CLASSES.items()} | {
    code: ord(LOOSE_CLASSES.get(chr(code + 32), chr(code + 32))) for code in range(0x41, 0x5B)
}

# Letters and digits of any alphabet. A middle dot is a separator.
_SIGN = "[^\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f\u00a0\u00b7\u200b\u2028\u2029\u3000-\u3003]"
_GAP = "[\\x00-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f\u00a0\u00b7\u200b\u2028\u2029\u3000-\u3003]"
RUN = re.compile(f"(?<!{_SIGN}){_SIGN}(?:{_GAP}{{1,5}}{_SIGN}(?!{_SIGN})){{3,}}")
_PARTS = re.compile(f"({_SIGN})({_GAP}*)")

# With blanks alone between them, the signs that pass for letters are letters too.
_SPACED_SIGN = f"(?:{_SIGN}|[@$!|+,?'\":;()&%#])"
_SPACED = re.compile(
    f"(?<![^\\s]){_SPACED_SIGN}(?:[ \\t\\r\\n　]{{1,5}}{_SPACED_SIGN}(?![^\\s])){{3,}}", re.ASCII
)
_SPACED_PARTS = re.compile(r"(\S)(\s*)", re.ASCII)


def squeezed(view: View) -> View | None:
    """Runs of four or more single letters or digits written together; None without any."""
    text = view.text
    trail = Trail(text)
    at = 0
    for start, end, parts in _runs(text):
        trail.keep(at, start)
        _write_together(text, start, end, parts, trail)
        at = end
    if not at:
        return None
    trail.keep(at, len(text))
    return View("squeezed", "plain", trail.text(), view, trail)


def _runs(text: str) -> Iterator[tuple[int, int, re.Pattern[str]]]:
    at = 0
    for run in _SPACED.finditer(text):
        for other in RUN.finditer(text, at, run.start()):
            yield *other.span(), _PARTS
        yield *run.span(), _SPACED_PARTS
        at = run.end()
    for other in RUN.finditer(text, at):
        yield *other.span(), _PARTS


def _write_together(text: str, start: int, end: int, parts: re.Pattern[str], trail: Trail) -> None:
    pairs = parts.findall(text, start, end)
    usual = Counter([gap for _, gap in pairs[:-1]]).most_common(1)[0][0]
    means = {gap: _core(gap, usual) for _, gap in pairs}
    means[""] = ""
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = start
    for sign, gap in pairs:
        out.append(sign)
        starts.append(at)
        at += 1
        core = means[gap]
        if core:
            ends.append(at)
            out.append(core)
            starts += [at] * len(core)
            at += len(gap)
            ends += [at] * len(core)
        else:
            at += len(gap)
            ends.append(at)
    trail.put_grid("".join(out), 1, starts, ends)


def _core(gap: str, usual: str) -> str:
    """What a gap means in a run whose letters usually stand this far apart."""
    if gap == usual:
        return ""
    inner = gap.removeprefix(usual)
    if inner != gap:
        return inner.removesuffix(usual) or " "
    if gap.isspace() or " " in gap:
        return " "
    return "" if len(gap) == 1 else gap


_MAY_BREAK = re.compile(r"\n|\r|\x0b|\x0c|-\x20")
# A word goes on behind a line break, after a hyphen or without one.
_BREAK = re.compile(
    r"(?<=[A-Za-z])(?:-?[ \t]*(?:\r\n|[\n\r\x0b\x0c])[ \t]*|-\x20)(?=[a-zA-Z])", re.ASCII
)


def loose(view: View, together: View | None) -> View:
    """The view as loose needles read it: broken words mended, look-alikes united.

    Args:
        view: A folded view.
        together: The same squeezed, if that changes it.
    """
    inner = together or view
    whole = mended(inner)
    if whole is not None:
        inner = whole.named("loose")
    return View("loose", "loose", inner.text.translate(_LOOSE), inner)


def mended(view: View) -> View | None:
    """Words that a line break cut, in one piece again, in plain form; None without any."""
    text = view.text
    trail = Trail(text)
    at = 0
    for sign in _MAY_BREAK.finditer(text):
        start = sign.start()
        while start > at and text[start - 1] in " \t":
            start -= 1
        start -= start > at and text[start - 1] == "-" and text[sign.start()] != "-"
        found = _BREAK.match(text, start) if start >= at else None
        if found is not None:
            # A break belongs to neither half: beside a match it is not part of it.
            trail.keep(at, start)
            at = found.end()
    if not at:
        return None
    trail.keep(at, len(text))
    return View("squeezed", "plain", trail.text(), view, trail)
