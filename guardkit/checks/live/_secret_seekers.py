"""What looks for secrets: a needle each, and what finds every secret in a text where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import re2

from guardkit.errors import BindError

from ._matches import Program, iter_all, prepare
from ._secret_shape import GAP, Shape, Told
from ._secret_shapes import FREE_KINDS, SHAPES, TOLD
from ._secret_values import MAX_VALUE, is_key, is_login, is_password, is_random, is_stand_in
from ._validators import entropy

KNOWN = "known_secret"
"""The kind of a secret that is known by heart."""


class Find(NamedTuple):
    """A secret in a text, in code points."""

    start: int
    end: int
    kind: str
    rank: int = 0
    """0 where the value itself says what it is, 1 where only its name does."""


class Seeker(NamedTuple):
    """A needle, and what finds the secrets of a text in which it stands."""

    needle: str
    find: Callable[[str], Iterable[Find]]


def seekers_of(kinds: frozenset[str], floor: float, known: Sequence[str]) -> tuple[Seeker, ...]:
    """Seekers for some kinds and some known secrets.

    Args:
        kinds: The kinds.
        floor: How many bits a character of a key without a shape has to carry.
        known: Secrets that are known by heart.

    Raises:
        BindError: The known secrets are too many for this machine.
    """
    return (
        *(_shape_seeker(row) for row in SHAPES if row.kind in kinds),
        *(_told_seeker(row) for row in TOLD if row.kind in kinds),
        *(_free_seeker(kind, floor) for kind in FREE_KINDS if kind in kinds),
        *_known_seekers(known),
    )


# --- shapes

_ESCAPES = ("\\n", "\\r", "\\t")


def _stands_free(text: str, start: int) -> bool:
    """No letter or digit before it; the letter of `\\n` is none."""
    if not start or not (text[start - 1].isascii() and text[start - 1].isalnum()):
        return True
    return text[max(0, start - 2) : start] in _ESCAPES


def _ends(text: str, end: int) -> bool:
    return end == len(text) or not (
        text[end].isascii() and (text[end].isalnum() or text[end] == "_")
    )


@cache
def _shape_seeker(row: Shape) -> Seeker:
    program = prepare(row.head + row.body)
    part = re.compile(row.part) if row.part else None
    head = re.compile(row.head)

    def find(text: str) -> Iterator[Find]:
        for start, end in iter_all(program, text):
            if row.proof is not None:
                if row.proof(text[start:end]):
                    yield Find(start, end, row.kind)
                continue
            if not _stands_free(text, start) or not _ends(text, end):
                continue
            if part is not None:
                inner = part.search(text[start:end])
                if inner is None or is_stand_in(inner[1]):
                    continue
                if row.covers_part:
                    start, end = start + inner.start(1), start + inner.end(1)
                yield Find(start, end, row.kind)
                continue
            begun = head.match(text, start, end)
            body = text[begun.end() if begun else start : end]
            if is_random(body) and not is_stand_in(body):
                yield Find(start, end, row.kind)

    return Seeker(row.needle or row.head, find)


@cache
def _told_seeker(row: Told) -> Seeker:
    words = f"(?i:{row.words})"
    program = prepare(rf"{words}[\t\n\r -~]{{0,{GAP}}}?[^0-9A-Za-z]{row.value}")
    value = re.compile(rf"(?<![0-9A-Za-z]){row.value}\Z")

    def find(text: str) -> Iterator[Find]:
        for start, end in iter_all(program, text):
            match = value.search(text, start, end)
            if match is None or not _ends(text, end):
                continue
            said = match[0]
            if is_random(said) and not is_stand_in(said) and entropy(said) >= _TOLD_FLOOR:
                yield Find(match.start(), end, row.kind)

    return Seeker(words, find)


_TOLD_FLOOR = 2.75
"""Bits per character of a value that its vendor's name stands before."""


# --- known by a name, a header or a fence

_KEY_NAMES = (
    r"(?:api|access|auth|secret|private|account|shared|encryption|signing|master|service|license"
    r"|client|app|consumer|webhook|session|refresh|deploy)[ _.-]?(?:key|secret|token)"
    r"|secret|token|apikey|credentials?|_auth|jwt"
)
_PHRASES = (
    r"pass(?:word|wd|phrase|code|wort)|passwd|(?:\b|_)(?:pass|pwd?)(?:\b|_)|kennwort"
    r"|mot de passe|contrase(?:ñ|n)a|senha|palavra-passe|parola(?: d'ordine)?|wachtwoord|has[łl]o"
    r"|[şs]ifre|пароль|密码|密碼|パスワード|비밀번호|كلمة (?:المرور|السر)|पासवर्ड"
)
_SAYS = (
    r"[\w.-]{0,16}[\"'\]\)`*\\]{0,5}"
    r"(?:[ \t]{0,8}(?:=>|:=|==?|:|->|：|,(?:[ \t]?[\"'])|>)"
    r"|[ \t](?:is|ist|lautet|est|es|é|è|jest|was|are)[ \t:])"
    r"[ \t]{0,8}\\{0,2}[\"'`*]{0,2}"
)
_NAMED = {
    "api_key": rf"(?i)(?:(?:{_KEY_NAMES}){_SAYS}|--[\w-]{{0,24}}(?:key|token|secret)[ =][\"']?)",
    "password": rf"(?i)(?:(?:{_PHRASES}){_SAYS}|--[\w-]{{0,24}}password[ =][\"']?"
    r"|identified by [\"'])",
    "bearer_token": r"(?i)(?:\bbearer[ \t]+|authorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?"
    r"(?:(?:basic|token|apikey|key|bearer)[ \t]+)?)",
    "private_key": r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"|Private-Lines: [0-9]{1,4}[\r\n]",
}
_COUNT = re.compile(r"\{0,\d+\}")
"""What a needle does without: see `Shape.needle`."""
_OTHER_NAMES = re.compile(
    # What is called after a key but is none: its number, its place, its kind, its public half.
    r"(?:public|publishable|primary|foreign|partition|sort|cache|idempotency)[ _.-]?key"
    r"|(?:[_.-]|(?-i:(?=[A-Z])))(?:id|ids|name|type|count|url|uri|path|file|field|length|len|size"
    r"|limit|ttl|expir\w*|format|regex|pattern|hash|digest|salt|label|hint|policy|arn|version)"
    r"[\"'\]\)`*\s]*[=:,>-]",
    re.IGNORECASE,
)
_QUOTED = {quote: re.compile(rf"[^{quote}\s\\]{{1,{MAX_VALUE}}}+") for quote in "\"'`"}
_BARE = re.compile(
    # Up to a blank, a quote, or what begins the next of several assignments.
    r"(?:[^\s\"'`<>&,\\]+|&(?!\w{1,40}=)|,(?![\w-]{1,40}[=:])|\\(?![nrt\"]))++"
)
_SHUT = ".,;:)]}*|。，\\"
_KEY_BODY = re.compile(r"(?:[0-9A-Za-z+/=\s\\:,.()@<>_]|-(?!-))*+")
_KEY_LINE = re.compile(r"[0-9A-Za-z+/]{40}")
_FENCE = re.compile(r"-----END [A-Z0-9 ]{0,40}-----")


def _free_seeker(kind: str, floor: float) -> Seeker:
    program = prepare(_NAMED[kind])
    needle = _COUNT.sub("*", _NAMED[kind])
    if kind == "private_key":
        return Seeker(needle, lambda text: _fenced(program, text))
    accept: dict[str, Callable[[str, bool], bool]] = {
        "api_key": lambda value, _: is_key(value, floor),
        "bearer_token": lambda value, _: is_key(value, floor) or is_login(value),
        "password": lambda value, is_quoted: is_password(value, is_quoted=is_quoted),
    }
    accepts = accept[kind]

    def find(text: str) -> Iterator[Find]:
        run_end = 0  # INVARIANT: a run without blanks is read once, however many names are in it
        for start, begin in iter_all(program, text):
            end = _quoted_end(text, begin)
            is_quoted = end > 0
            if not is_quoted:
                if begin >= run_end:
                    run = _BARE.match(text, begin)
                    run_end = run.end() if run else begin
                end = run_end
            if end - begin > MAX_VALUE:
                continue
            if not is_quoted:
                end = begin + len(text[begin:end].rstrip(_SHUT))
            if not accepts(text[begin:end], is_quoted) or _OTHER_NAMES.search(text, start, begin):
                continue
            yield Find(begin, end, kind, rank=1)

    return Seeker(needle, find)


def _quoted_end(text: str, begin: int) -> int:
    """Where a value ends that has the same quote before and after it; 0 where it has not."""
    quote = text[begin - 1]
    quoted = _QUOTED[quote].match(text, begin) if quote in _QUOTED else None
    if quoted is None or text[quoted.end() : quoted.end() + 1] not in (quote, "\\"):
        return 0
    return quoted.end()


def _fenced(program: Program, text: str) -> Iterator[Find]:
    """A private key from its first line of dashes to its last, or as far as it was copied."""
    for start, begin in iter_all(program, text):
        body = _KEY_BODY.match(text, begin)
        assert body is not None
        line = _KEY_LINE.search(text, begin, body.end())
        if line is None or is_stand_in(line[0]):
            continue
        fence = _FENCE.match(text, body.end())
        yield Find(start, fence.end() if fence else body.end(), "private_key")


# --- known by heart

_KNOWN_IN_ONE = 32_768
"""Characters of secrets in one pattern."""
_KNOWN_MEM = 64 << 20


def _known_seekers(secrets: Sequence[str]) -> Iterator[Seeker]:
    """As they are, and backwards: a reversed text is only read where a word of it is known."""
    spelled = sorted({*secrets, *(secret[::-1] for secret in secrets)}, key=lambda s: (-len(s), s))
    group: list[str] = []
    size = 0
    for secret in (*spelled, ""):
        if group and (not secret or size + len(secret) > _KNOWN_IN_ONE):
            yield _known_seeker(group)
            group, size = [], 0
        group.append(secret)
        size += len(secret)


def _known_seeker(secrets: Sequence[str]) -> Seeker:
    needle = "|".join(re2.escape(secret) for secret in secrets)
    options = re2.Options()
    options.max_mem = _KNOWN_MEM
    options.log_errors = False  # INVARIANT: no known secret is shown
    options.never_capture = True
    options.longest_match = True
    try:
        program = Program(re2.compile(needle, options), is_far=False)
    except re2.error:
        raise BindError("the known secrets are too large for this machine") from None

    def find(text: str) -> Iterator[Find]:
        for start, end in iter_all(program, text):
            yield Find(start, end, KNOWN)

    return Seeker(needle, find)
