"""Answers of the checks that need no engine: patterns, word lists and lengths, on the raw text.

The engine also reads other views of a text. A check that says no to the raw text but yes to the
text without its disguise is not answered here: only the engine knows what the match is.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import re2

from guardkit._util.contained import ContainmentError
from guardkit.semantics import Check, CheckedPolicy

from ._reference import Answer, Event, Span

KINDS = frozenset({"pattern", "words", "length"})
"""The kinds that are answered here, as far as they can be."""

_MAX_MEM = 256 << 20
_Finder = Callable[[str], list[tuple[int, int]] | None]
"""The matches in one text; None where they cannot be told."""


class EngineFree:
    """Answers checks of one policy; every pattern and list is prepared once.

    Args:
        policy: A checked policy.
        read: Gives the bytes of a data file by the name the policy's checks have for it.
    """

    def __init__(self, policy: CheckedPolicy, read: Callable[[str], bytes]) -> None:
        self._checks = {check.name: check for check in policy.checks}
        self._read = read
        self._finders: dict[str, _Finder | None] = {}

    def answer(self, name: str, event: Event) -> Answer | None:
        """What the check says about an event, or None where it takes an engine to say it."""
        check = self._checks[name]
        if check.kind not in KINDS:
            return None
        if check.kind == "length":
            return _length(check, event)
        if name not in self._finders:
            self._finders[name] = self._finder(check)
        finder = self._finders[name]
        return None if finder is None else _over_texts(finder, _views(check), event)

    def _finder(self, check: Check) -> _Finder | None:
        if check.kind == "pattern":
            return _pattern_finder(check)
        entries = self._entries(check)
        return None if entries is None else _words_finder(entries)

    def _entries(self, check: Check) -> list[str] | None:
        listed = check.get("list")
        entries = [str(entry) for entry in listed] if isinstance(listed, tuple) else []
        files = check.get("file")
        for file in files if isinstance(files, tuple) else ():
            name, digest = (file[0], file[1]) if isinstance(file, tuple) else ("", "")
            try:
                content = self._read(str(name))
                text = content.decode("utf-8-sig")
            except (ContainmentError, UnicodeDecodeError):
                return None
            if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
                return None  # it changed after the policy was checked
            entries += [re.split(r"(?:^|\s)#", line, maxsplit=1)[0] for line in text.splitlines()]
        return [entry.strip() for entry in entries if entry.strip()]


# --- texts of an event, and what of them is read


def _strings(value: object, pointer: str = "") -> Iterator[tuple[str | None, str]]:
    """Every string value with its JSON pointer, and every key, which has none."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield None, str(key)
            escaped = str(key).replace("~", "~0").replace("/", "~1")
            yield from _strings(inner, f"{pointer}/{escaped}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{pointer}/{index}")


def _texts(event: Event) -> list[tuple[str | None, str]]:
    if event.surface == "tool_call":
        return list(_strings(event.arguments or {}))
    return [("", event.text)]


def _views(check: Check) -> frozenset[str]:
    named = check.get("views")
    views = frozenset(str(view) for view in named) if isinstance(named, tuple) else frozenset()
    return views or frozenset({"all"})


def _over_texts(find: _Finder, views: frozenset[str], event: Event) -> Answer | None:
    reads_raw = bool(views & {"raw", "all"})
    reads_more = views != {"raw"}
    spans: list[Span] = []
    says_yes, cannot_tell = False, False
    for pointer, text in _texts(event):
        # What the cleaned view makes of plain text is that text.
        found = find(text) if reads_raw or ("cleaned" in views and _is_plain(text)) else None
        if found:
            says_yes = True
            spans += [Span(s, e, "", pointer) for s, e in found if pointer is not None]
        elif found is None:
            cannot_tell = True
        elif reads_more:
            cannot_tell |= any(find(view) != [] for view in _undisguised(text))
    if says_yes:
        return Answer(True, tuple(spans))
    return None if cannot_tell else Answer(False)


def _is_plain(text: str) -> bool:
    return all(" " <= char <= "~" or char in "\n\t" for char in text)


_SPACED = re.compile(r"(?<!\w)\w(?:[\s.,_*|/-]{1,3}\w){2,}(?!\w)")


def _undisguised(text: str) -> Iterator[str]:
    """The text without the commonest disguises, where that makes another text of it."""
    kept = "".join(c for c in text if unicodedata.category(c) != "Cf")
    base = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", kept))
    folded = "".join(c for c in base if not unicodedata.combining(c))
    if folded != text:
        yield folded
    joined = _SPACED.sub(lambda found: re.sub(r"[\W_]+", "", found[0]), folded)
    if joined != folded:
        yield joined


# --- patterns


def _pattern_finder(check: Check) -> _Finder | None:
    matches = check.get("match")
    valid = check.get("valid")
    accepts: Callable[[str], bool] | None = None
    if isinstance(valid, tuple):
        name, bound = str(valid[0]), float(str(valid[1]))
        accepts = _validator(name, bound)
        if accepts is None:
            return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEM
    programs = []
    for match in matches if isinstance(matches, tuple) else ():
        if not isinstance(match, tuple):
            return None
        source, flags = str(match[0]), "".join(sorted(set(str(match[1]))))
        programs.append(re2.compile(f"(?{flags}){source}" if flags else source, options))

    def find(text: str) -> list[tuple[int, int]] | None:
        return _merged(
            found.span()
            for program in programs
            for found in program.finditer(text)
            if found.end() > found.start() and (accepts is None or accepts(found.group()))
        )

    return find


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, and what lies inside another left out."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(set(spans), key=lambda span: (span[0], -span[1])):
        if not kept or end > kept[-1][1]:
            kept.append((start, end))
    return kept


# --- validators: those whose rule leaves no room for doubt


def _validator(name: str, bound: float) -> Callable[[str], bool] | None:
    if name == "entropy":
        return lambda text: _entropy(text) >= bound
    return _VALIDATORS.get(name)


def _entropy(text: str) -> float:
    """Bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def _digits(text: str) -> list[int] | None:
    """The digits of a number that may be grouped by blanks and hyphens; None for other text."""
    bare = re.sub(r"[\s-]", "", text)
    return [int(char) for char in bare] if bare.isascii() and bare.isdigit() else None


def _luhn(text: str) -> bool:
    digits = _digits(text)
    if not digits or len(digits) < 2:
        return False
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _imei(text: str) -> bool:
    return len(_digits(text) or []) == 15 and _luhn(text)


def _mod97(text: str) -> bool:
    bare = re.sub(r"[\s-]", "", text).upper()
    if not (bare.isascii() and bare.isalnum()):
        return False
    return int("".join(str(int(char, 36)) for char in bare)) % 97 == 1


def _iban(text: str) -> bool:
    bare = re.sub(r"[\s-]", "", text).upper()
    shape = re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", bare)
    return shape is not None and _mod97(bare[4:] + bare[:4])


def _lei(text: str) -> bool:
    bare = text.upper()
    return re.fullmatch(r"[A-Z0-9]{18}[0-9]{2}", bare) is not None and _mod97(bare)


def _aba(text: str) -> bool:
    digits = _digits(text)
    weights = (3, 7, 1) * 3
    return (
        digits is not None
        and len(digits) == 9
        and sum(w * d for w, d in zip(weights, digits, strict=True)) % 10 == 0
    )


def _ean(text: str) -> bool:
    digits = _digits(text)
    if digits is None or len(digits) not in (8, 13):
        return False
    return (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0


def _ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_VALIDATORS: dict[str, Callable[[str], bool]] = {
    "aba": _aba,
    "ean": _ean,
    "iban": _iban,
    "imei": _imei,
    "ip": _ip,
    "lei": _lei,
    "luhn": _luhn,
    "mod97": _mod97,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}


# --- words

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Scripts written without blanks: Thai, Lao, Myanmar, Khmer, Kana, Han."""


def _words_finder(entries: list[str]) -> _Finder:
    whole: dict[str, set[tuple[str, ...]]] = {}
    anywhere: list[re.Pattern[str]] = []
    for entry in entries:
        if _NO_BLANKS.search(entry):
            anywhere.append(re.compile(re.escape(entry), re.IGNORECASE))
        else:
            tokens = tuple(token for token, _, _ in _tokens(entry))
            whole.setdefault(tokens[0], set()).add(tokens)

    def find(text: str) -> list[tuple[int, int]] | None:
        tokens = list(_tokens(text))
        spans = [found.span() for pattern in anywhere for found in pattern.finditer(text)]
        for at, (token, start, _) in enumerate(tokens):
            for wanted in whole.get(token, ()):
                here = tokens[at : at + len(wanted)]
                if tuple(word for word, _, _ in here) == wanted:
                    spans.append((start, here[-1][2]))
        return _merged(spans)

    return find


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Words in one case, punctuation by the character, each run of blanks as one."""
    for found in _TOKEN.finditer(text):
        token = found.group()
        yield " " if token.isspace() else token.casefold(), found.start(), found.end()


# --- length

_MEASURES: dict[str, Callable[[str], int]] = {
    "chars": len,
    "words": lambda text: len(text.split()),
    "lines": lambda text: text.count("\n") + (not text.endswith("\n") and text != ""),
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}


def _length(check: Check, event: Event) -> Answer | None:
    texts = [text for _, text in _texts(event)]
    most, least = check.get("max"), check.get("min")
    if most is None and least is None:
        # Of several texts none is *the* length.
        return Answer(float(len(texts[0]))) if event.surface != "tool_call" else None
    outside = False
    for bound, is_most in ((most, True), (least, False)):
        if not isinstance(bound, tuple):
            continue
        measure = _MEASURES.get(str(bound[1]))
        if measure is None:
            return None
        limit = float(str(bound[0]))
        lengths = [measure(text) for text in texts]
        outside |= any(n > limit if is_most else n < limit for n in lengths)
    return Answer(outside)
