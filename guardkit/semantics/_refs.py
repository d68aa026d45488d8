"""Read what a rule's `refs` point at: risk lists, weaknesses, laws and a company's own papers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from guardkit.diagnostics import did_you_mean

from . import _ref_tables as tables

Kind = Literal["malformed", "edition", "unknown", "scheme"]


@dataclass(frozen=True, slots=True)
class Ref:
    """One entry of one vocabulary, in its canonical spelling.

    `edition` is empty where the vocabulary is cited without one, `title` where none is pinned.
    """

    scheme: str
    edition: str
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class RefProblem:
    """Why a text is no reference: the makings of a diagnostic, `help` one advice an item."""

    kind: Kind
    message: str
    help: tuple[str, ...]


EXAMPLES: dict[str, str] = {
    "OWASP": "OWASP LLM01:2025",
    "ATLAS": "ATLAS AML.T0051.000",
    "CWE": "CWE-79",
    "NIST AI 600-1": "NIST AI 600-1 Data Privacy",
    "NIST AI RMF": "NIST AI RMF GOVERN 1.1",
    "AILuminate": "AILuminate Hate",
    "GDPR": "GDPR Art. 5(1)(c)",
    "EU AI Act": "EU AI Act Art. 9",
    "ISO 42001": "ISO 42001 A.6.2.4",
    "Internal": "Internal SEC-1412",
}
"""Every scheme with one right reference."""

_LONGEST = 300
_ALIASES = {
    "mitre atlas": "ATLAS",
    "iso/iec 42001": "ISO 42001",
    "mlcommons ailuminate": "AILuminate",
}
_SCHEMES = {name.lower(): name for name in EXAMPLES} | _ALIASES
_SCHEME = re.compile(
    f"({'|'.join(re.escape(name) for name in sorted(_SCHEMES, key=len, reverse=True))})"
    r"(?![A-Za-z0-9])(.*)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)


def parse_ref(text: str) -> Ref | RefProblem:
    """Read one reference; the case of words and the number of blanks do not matter.

    >>> parse_ref("OWASP LLM01:2025")
    Ref(scheme='OWASP', edition='2025', id='LLM01', title='Prompt Injection')
    """
    if len(text) > _LONGEST:
        return _malformed(text, f"a reference has at most {_LONGEST} characters")
    words = " ".join(text.split())
    if not words or not words.isprintable():
        return _malformed(text, "a reference is one line of readable text")
    found = _SCHEME.fullmatch(words)
    if found is None:
        return _no_scheme(words)
    scheme = _SCHEMES[found[1].lower()]
    rest = found[2]
    if not rest.strip(" :-"):
        return _malformed(words, f"write the entry too, as in `{EXAMPLES[scheme]}`")
    return _READERS[scheme](words, rest)


def _owasp(words: str, rest: str) -> Ref | RefProblem:
    found = re.fullmatch(r" (LLM|ASI) ?([0-9]{1,2})(?::([0-9]{4}))?", rest, re.I | re.A)
    if found is None:
        return _off_shape(words, "OWASP")
    entry, edition = found[1].upper() + found[2], found[3]
    known = sorted({entry for table in tables.OWASP.values() for entry in table})
    if entry not in known:
        near = f"{found[1].upper()}{found[2]:0>2}"
        return _unknown(words, near, known, "LLM01 to LLM10 and ASI01 to ASI10 exist")
    candidates = {
        year: f"`OWASP {entry}:{year}` ({table[entry]})"
        for year, table in sorted(tables.OWASP.items())
        if entry in table
    }
    if edition not in candidates:
        problem = "has no such edition" if edition else "needs its edition: the numbers move"
        advice = (f"write {' or '.join(candidates.values())}",)
        return RefProblem("edition", f"{_quoted(words)} {problem}", advice)
    return Ref("OWASP", edition, entry, tables.OWASP[edition][entry])


def _atlas(words: str, rest: str) -> Ref | RefProblem:
    found = re.fullmatch(r" (AML\.)?(T[0-9]{4}(?:\.[0-9]{3})?)", rest, re.I | re.A)
    if found is None:
        return _off_shape(words, "ATLAS")
    entry = "AML." + found[2].upper()
    if not found[1]:
        return _malformed(words, f"write `ATLAS {entry}`")
    if entry not in tables.ATLAS:
        return _unknown(words, entry, tables.ATLAS)
    technique, _, sub = entry.rpartition(".")
    title = tables.ATLAS[entry]
    if sub.isdigit():
        title = f"{tables.ATLAS[technique]}: {title}"
    return Ref("ATLAS", "", entry, title)


def _cwe(words: str, rest: str) -> Ref | RefProblem:
    found = re.fullmatch(r"[ -]([1-9][0-9]{0,5})", rest, re.A)
    if found is None:
        return _off_shape(words, "CWE")
    number = int(found[1])
    if number > tables.CWE_LAST:
        return _unknown(words, "", (), f"numbers end at {tables.CWE_LAST}")
    return Ref("CWE", "", f"CWE-{number}", tables.CWE.get(number, ""))


def _nist_600(words: str, rest: str) -> Ref | RefProblem:
    return _named(words, rest, "NIST AI 600-1", "", tables.NIST_AI_600_1)


def _nist_rmf(words: str, rest: str) -> Ref | RefProblem:
    found = re.fullmatch(
        r"(?: (1\.0))? ([A-Z]+)(?: ([0-9]{1,2})(?:\.([0-9]{1,2}))?)?", rest, re.I | re.A
    )
    if found is None:
        return _off_shape(words, "NIST AI RMF")
    function = found[2].upper()
    if function not in tables.NIST_AI_RMF:
        return _unknown(words, function, tables.NIST_AI_RMF)
    counts = tables.NIST_AI_RMF[function]
    category, sub = (int(found[3] or 1), int(found[4] or 1))
    if not 1 <= category <= len(counts):
        return _unknown(words, "", (), f"`{function}` has categories 1 to {len(counts)}")
    if not 1 <= sub <= counts[category - 1]:
        last = f"{function} {category}.{counts[category - 1]}"
        return _unknown(words, "", (), f"`{function} {category}` ends at `{last}`")
    entry = function + (f" {category}" if found[3] else "") + (f".{sub}" if found[4] else "")
    return Ref("NIST AI RMF", "1.0", entry, "")


def _ailuminate(words: str, rest: str) -> Ref | RefProblem:
    found = re.fullmatch(r"(?: v?([0-9]\.[0-9]))? (.+)", rest, re.I | re.A)
    if found is None:
        return _off_shape(words, "AILuminate")
    if found[1] not in (None, "1.0"):
        advice = f"write `AILuminate 1.0 {found[2]}`"
        return RefProblem("edition", f"{_quoted(words)} has no such edition", (advice,))
    return _named(words, " " + found[2], "AILuminate", "1.0", tables.AILUMINATE)


def _gdpr(words: str, rest: str) -> Ref | RefProblem:
    return _article(words, rest, "GDPR", tables.GDPR_LAST, tables.GDPR)


def _eu_ai_act(words: str, rest: str) -> Ref | RefProblem:
    if found := re.fullmatch(r" Annex ([IVX]+|[0-9]+)", rest, re.I | re.A):
        annex = found[1].upper()
        if annex not in tables.EU_AI_ACT_ANNEXES:
            return _unknown(words, "", (), "annexes I to XIII exist")
        return Ref("EU AI Act", "", f"Annex {annex}", "")
    return _article(words, rest, "EU AI Act", tables.EU_AI_ACT_LAST, tables.EU_AI_ACT)


def _iso_42001(words: str, rest: str) -> Ref | RefProblem:
    found = re.fullmatch(
        r"(?::([0-9]{4}))? (?:clause )?((?:A\.)?[1-9][0-9]?(?:\.[1-9][0-9]?){0,3})",
        rest,
        re.I | re.A,
    )
    if found is None:
        return _off_shape(words, "ISO 42001")
    entry = found[2].upper()
    if found[1] not in (None, "2023"):
        advice = f"write `ISO 42001:2023 {entry}`"
        return RefProblem("edition", f"{_quoted(words)} has no such edition", (advice,))
    parts = entry.split(".")
    top = ".".join(parts[:2] if parts[0] == "A" else parts[:1])
    if top not in tables.ISO_42001:
        return _unknown(words, "", (), "clauses 4 to 10 and controls A.2 to A.10 exist")
    return Ref("ISO 42001", "2023", entry, tables.ISO_42001[top])


def _internal(words: str, rest: str) -> Ref | RefProblem:
    if rest[0] not in " :":
        return _off_shape(words, "Internal")
    return Ref("Internal", "", rest.lstrip(" :-"), "")


_READERS: dict[str, Callable[[str, str], Ref | RefProblem]] = {
    "OWASP": _owasp,
    "ATLAS": _atlas,
    "CWE": _cwe,
    "NIST AI 600-1": _nist_600,
    "NIST AI RMF": _nist_rmf,
    "AILuminate": _ailuminate,
    "GDPR": _gdpr,
    "EU AI Act": _eu_ai_act,
    "ISO 42001": _iso_42001,
    "Internal": _internal,
}


def _article(
    words: str, rest: str, scheme: str, last: int, titles: dict[int, str]
) -> Ref | RefProblem:
    found = re.fullmatch(
        r" Art(?:icle|\.)? ?([1-9][0-9]{0,3}) ?((?:\([1-9][0-9]?\))?(?:\([a-z]{1,2}\))?)",
        rest,
        re.I | re.A,
    )
    if found is None:
        return _off_shape(words, scheme)
    number = int(found[1])
    if number > last:
        return _unknown(words, "", (), f"articles 1 to {last} exist")
    return Ref(scheme, "", f"Art. {number}{found[2].lower()}", titles.get(number, ""))


def _named(
    words: str, rest: str, scheme: str, edition: str, names: tuple[str, ...]
) -> Ref | RefProblem:
    """An entry known by its name; the first words of one name alone are enough."""
    wanted = _plain(rest)
    fitting = [name for name in names if _plain(name) == wanted] or [
        name for name in names if _plain(name).startswith(f"{wanted} ")
    ]
    if not wanted or len(fitting) != 1:
        return _unknown(words, rest.strip(), names, f"known: {', '.join(names)}")
    return Ref(scheme, edition, fitting[0], fitting[0])


def _plain(name: str) -> str:
    """Words only, in lower case: `and/or`, `&` and commas are spelt in many ways."""
    spelt = (
        name.lower()
        .replace("specialised", "specialized")
        .replace("homogenisation", "homogenization")
    )
    return " ".join(word for word in re.findall(r"\w+", spelt) if word not in ("and", "or"))


def _no_scheme(words: str) -> RefProblem:
    schemes = ", ".join(f"`{name}`" for name in EXAMPLES)
    if re.match(r"(LLM|ASI)[0-9]", words, re.I | re.A):
        near: tuple[str, ...] = (f"did you mean `OWASP {_cut(words)}`?",)
    elif re.match(r"AML\.", words, re.I | re.A):
        near = (f"did you mean `ATLAS {_cut(words)}`?",)
    else:
        near = _near_scheme(words)
    message = f"{_quoted(words)} names no known vocabulary"
    return RefProblem("scheme", message, (*near, f"known: {schemes}; `Internal` takes any text"))


def _near_scheme(words: str) -> tuple[str, ...]:
    """Try the first words of the text, as many as a scheme has."""
    split = re.split(r"[ :-]", words)
    for count in (3, 2, 1):
        names = [name for name in EXAMPLES if len(re.split(r"[ -]", name)) == count]
        names += ["NIST AI 600-1"] if count == 3 else []
        if near := did_you_mean(" ".join(split[:count]), names):
            return near
    return ()


def _malformed(text: str, advice: str) -> RefProblem:
    return RefProblem("malformed", f"{_quoted(text)} is not a reference", (advice,))


def _off_shape(words: str, scheme: str) -> RefProblem:
    message = f"{_quoted(words)} is not written like a reference to {scheme}"
    return RefProblem("malformed", message, (f"write it as in `{EXAMPLES[scheme]}`",))


def _unknown(words: str, entry: str, known: Iterable[str], advice: str = "") -> RefProblem:
    help_lines = did_you_mean(entry, known) + ((advice,) if advice else ())
    return RefProblem("unknown", f"{_quoted(words)} names an entry that does not exist", help_lines)


def _quoted(text: str) -> str:
    return f"`{_cut(text)}`"


def _cut(text: str) -> str:
    """Fit for one line of a message: short, and readable characters only."""
    shown = text if len(text) <= 60 else text[:59] + "…"
    return "".join(c if c.isprintable() else "�" for c in shown)
