"""The fixed data of the run-time benchmarks: a policy of 100 patterns, and texts that differ."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from random import Random

SAMPLES = Path(__file__).parent.parent / "tests" / "samples"
TODAY = date(2026, 11, 21)

PHRASES = (
    "ignore (?:all |any )?(?:previous|prior|above) (?:instructions|rules)",
    "disregard (?:the|your) (?:system prompt|guidelines)",
    "you are now (?:in )?developer mode",
    "pretend (?:that )?you have no (?:restrictions|rules)",
    "reveal (?:the|your) (?:hidden|system) (?:prompt|instructions)",
    "repeat the (?:text|words) above",
    "act as (?:an )?unfiltered",
    "bypass (?:the|all) (?:filters?|safety)",
    "forget everything (?:above|before)",
    "print your (?:initial|original) instructions",
    "do anything now",
    "without any (?:ethical|moral) (?:limits|guidelines)",
    "new instructions? from (?:the )?(?:admin|developer)",
    "override (?:the )?safety",
    "jailbreak mode",
    "enable god ?mode",
    "send (?:it|this|everything) to https?://",
    "exfiltrate",
    "simulate a terminal with root",
    "answer only in base64",
)
PREFIXES = (
    "AKIA", "ASIA", "ghp_", "gho_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_",
    "rk_live_", "SG\\.", "key-", "AIza", "ya29\\.", "hf_", "npm_", "pypi-", "dop_v1_", "shpat_",
    "sq0atp-", "EAAC", "lin_api_", "ntn_", "figd_", "dapi", "NRAK-", "glsa_", "hvs\\.", "PMAK-",
    "rubygems_",
)  # fmt: skip
WORDS = (
    "acmecorp", "globex", "initech", "umbrella", "hooli", "stark industries", "wayne enterprises",
    "cyberdyne", "tyrell", "wonka", "oscorp", "aperture", "massive dynamic", "soylent", "vandelay",
)  # fmt: skip
SHAPES = (
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,12}",
    r"\b(?:\d{4}[ -]){3}\d{4}\b",
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\+\d{1,3}[ .-]?\(?\d{2,4}\)?[ .-]?\d{3,4}[ .-]?\d{3,4}",
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b",
    r"\b[13][a-km-zA-HJ-NP-Z1-9]{25,34}\b",
    r"\b0x[a-fA-F0-9]{40}\b",
    r"\b[A-HJ-NPR-Z0-9]{17}\b",
    r"\b\d{2}[/.]\d{2}[/.]\d{4}\b",
    r"\b[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
    r"\b[A-Z]{5}\d{4}[A-Z]\b",
    r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b",
    r"\b[XYZ]?\d{7,8}[A-Z]\b",
    r"\b\d{6}[-+A]\d{3}[0-9A-Z]\b",
    r"\beyJ[A-Za-z0-9_-]{10,200}\.[A-Za-z0-9_-]{10,200}\b",
    r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----",
    r"https?://[^\s\"'<>]{4,200}",
    r"\b(?:[A-Z0-9]{4}-){3,5}[A-Z0-9]{4}\b",
    r"\b[A-Za-z0-9+/]{40}\b",
    r"\b\d{9,10}\b",
    r"(?:password|passwd|secret)\s{0,3}[:=]\s{0,3}\S{6,80}",
    r"\$\d{1,3}(?:,\d{3}){2,6}",
    r"\b[A-Z]\d{8}\b",
    r"\b[A-Z]{2}\d{6}[A-Z]?\b",
    r"\bGB\d{9}\b",
    r"\bDE\d{9}\b",
    r"\b(?:jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)\w{0,6} \d{1,2},? \d{4}\b",
    r"\b\d{1,5} [A-Z][a-z]{2,12} (?:Street|Road|Avenue|Lane)\b",
    r"\b(?:visa|mastercard|amex)\b.{0,20}\d{4}",
    r"<script[^>]{0,80}>",
    r"(?:union select|drop table)",
    r"\.\./\.\./",
)


@cache
def patterns() -> tuple[str, ...]:
    """100 patterns, in any case where they are words."""
    keys = [rf"\b{prefix}[A-Za-z0-9_-]{{16,64}}" for prefix in PREFIXES]
    words = [rf"(?i)\b{word}\b" for word in WORDS]
    phrases = [f"(?i){phrase}" for phrase in PHRASES]
    found = (*phrases, *keys, *words, *SHAPES)
    assert len(found) == 100
    return found


def policy(action: str = "block", on: str = "input, output", views: str = "all") -> str:
    """One check a pattern, all in one rule."""
    checks = []
    names = []
    for i, source in enumerate(patterns()):
        flags = "i" if source.startswith("(?i)") else ""
        written = source.removeprefix("(?i)").replace("/", "\\/")
        checks.append(
            f'check p{i} = pattern {{ match /{written}/{flags} label "p{i}" views {views} }}'
        )
        names.append(f"p{i}")
    then = 'rewrite matches as "[{label}]"' if action == "rewrite" else action
    rule = f"rule r {{ tier safety on {on} when any of ({', '.join(names)}) then {then} }}"
    return "\n".join(["guardkit 1", "policy bench", *checks, rule, ""])


_VOCABULARY = """
the of and to in is that for it as was with be by on not he his but at are this have from or had
an they which one you were all her she there would their we him been has when who will no more
if out so up said what its about than into them can only other time new some could these two may
first then do any like my now over such our man me even most made after also did many off before
must well back through years much where your way down should because long each just state those
people too how little good world make very year still see own work men day get here between both
life being under three never know same last another while us might great old off come since
against go came right used take account balance payment order delivery please customer question
answer report meeting schedule project budget review
"""
VOCABULARY = _VOCABULARY.split()


_SYLLABLES = """
ba be bi co cu da de di do en er fa fo ga ge ha in ka ke la le li lo lu ma me mi mo na ne ni no
nu or pa pe po ra re ri ro ru sa se si so ta te ti to tra tri un va ve vi vo wa we wi zo
"""
SYLLABLES = _SYLLABLES.split()


def _word(random: Random) -> str:
    """A common word, a made-up one, a name or a number: real text is never short of new words."""
    dice = random.random()
    if dice < 0.6:
        return random.choice(VOCABULARY)
    made = "".join(random.choice(SYLLABLES) for _ in range(random.randint(2, 4)))
    made += random.choice(("", "", "s", "n", "ing", "ed", "ly", "tion"))
    if dice < 0.9:
        return made
    if dice < 0.96:
        return made.capitalize()
    return str(random.randint(2, 3000))


def text(seed: int, size: int = 1024) -> str:
    """English-like text of a size, different for every seed, without any of the patterns."""
    random = Random(f"bench {seed}")
    parts: list[str] = []
    length = 0
    while length < size:
        words = [_word(random) for _ in range(random.randint(5, 14))]
        if random.random() < 0.3:
            words[random.randrange(len(words))] += random.choice((",", ";", " -", ":"))
        sentence = " ".join(words)
        sentence = sentence[0].upper() + sentence[1:] + random.choice((". ", ". ", "? ", ".\n"))
        parts.append(sentence)
        length += len(sentence)
    return "".join(parts)[:size]


def near_hits(seed: int, size: int = 1024) -> str:
    """Text made of almost-matches: the worst for an automaton."""
    random = Random(f"near {seed}")
    pieces = (
        "AKIA1234",
        "ghp_abc ",
        "4111 1111 11",
        "ignore all prev ",
        "a.b@c",
        "12-34-",
        "eyJab",
    )
    out = ""
    while len(out) < size:
        out += random.choice(pieces) + random.choice(" .-:@/") * random.randint(0, 2)
    return out[:size]


def with_values(seed: int, size: int = 1024) -> str:
    """Text with four personal values in it."""
    random = Random(f"values {seed}")
    plain = text(seed, size - 100)
    number = " ".join(f"{random.randrange(10_000):04}" for _ in range(4))
    values = (
        f"user{random.randrange(1000)}@mail.example",
        number,
        f"{random.randrange(100, 999)}-{random.randrange(10, 99)}-{random.randrange(1000, 9999)}",
        f"+49 {random.randrange(100, 999)} {random.randrange(1000, 9999)} 1234",
    )
    words = plain.split(" ")
    step = len(words) // 5
    for i, value in enumerate(values):
        words.insert((i + 1) * step, value)
    return " ".join(words)


def reference_loop(steps: int = 1_000_000) -> int:
    """A million additions and look-ups in plain Python: 50 to 100 ms on an ordinary core."""
    table = list(range(256))
    total = 0
    for i in range(steps):
        total += table[i & 255]
    return total


def thousand_rules(rules: int = 1_000) -> str:
    """Distinct rules over 60 checks: no two alike, none hides another."""
    random = Random(7)
    parts = ['guardkit 1\npolicy thousand\n  owner "bench@example.com"\n']
    parts += [f"check p{i} = pattern {{\n  match /code{i}-\\d{{4,9}}\\b/i\n}}\n" for i in range(40)]
    parts += [f'check s{i} = similarity {{\n  examples ["sample {i}"]\n}}\n' for i in range(20)]
    for i in range(rules):
        a, b = random.sample(range(40), 2)
        score = f"s{random.randrange(20)} >= 0.{random.randrange(10, 99)}"
        field = f'context.desk == "desk{i}"'
        parts.append(
            f"rule r{i} {{\n  tier     safety    severity high\n"
            f'  refs     "OWASP LLM01:2025"\n  on       input, output\n'
            f"  when     {field} and (p{a} or p{b} or {score})\n"
            f'  then     block "Stopped by rule {i}."\n}}\n'
        )
    return "\n".join(parts)
