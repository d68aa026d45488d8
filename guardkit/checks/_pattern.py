r"""Answers yes where one of its patterns matches.

Each match is a span. With `valid`, a match counts only when the validator accepts it. Patterns are
RE2: linear time, no look-around, no back-references; a pattern that would need backtracking is
refused when the policy is compiled. The flag `i` ignores case.

Why it matters
    Most of what may never leave has a shape: keys, order numbers, account numbers. A pattern is
    the cheapest decisive check there is, and the only one whose answer you can read off the page.
    A validator turns "sixteen digits" into "a card number" and removes most false alarms.

Known misses
    A value in words ("four one one one"), a value split over two messages, a value inside an
    image. A pattern that can match without an upper length needs `hold_back all` on a stream.
    Some patterns have no form for de-spaced text; `check --verbose` names them. Of more than
    100,000 matches in one text the rest counts as one; with a validator the answer is unknown.

Example
    check order_number = pattern {
      match /\bNB-\d{8}\b/i
      match /\bNBX\d{6}\b/
      valid luhn
      label "order"
    }
    check token_like = pattern {
      match /[A-Za-z0-9_]{32,64}/
      valid entropy >= 3.5
    }

Options
    match: a pattern between slashes; repeat the line for more, any of them may match
    valid: what a match has to pass, one of the validators below
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out

    Validators: `aba` (bank routing number), `base58check` and `bech32` (wallet addresses),
    `date` (a day in the calendar), `domain`, `ean`, `email`, `entropy` (takes a bound: bits per
    character, `entropy >= 3.5`, 0 to 8), `iban`, `imei`, `ip`, `isbn`, `isin`, `lei`, `luhn`,
    `mac`, `mod11` (weights from the right: 1 to 10 for up to ten characters, else 1 and 2 to 7 in
    turn; `X` is ten), `mod97`, `uuid`, `verhoeff`, `vin`. All but `entropy` are used without a
    bound. A `date` is written in figures.

Cost
    Shares `scan`: every pattern of every check on a text is found in one pass of about 13 µs for
    1 KB. Each match costs about 10 µs more to confirm. Text made of near-hits is up to 60 times
    dearer.

Data it reads
    The text and its views. No file, no network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, PropertySpec

from ._properties import LABEL, VIEWS
from ._shared_costs import scan_cost

VALIDATORS: tuple[str, ...] = (
    "aba",
    "base58check",
    "bech32",
    "date",
    "domain",
    "ean",
    "email",
    "entropy",
    "iban",
    "imei",
    "ip",
    "isbn",
    "isin",
    "lei",
    "luhn",
    "mac",
    "mod11",
    "mod97",
    "uuid",
    "verhoeff",
    "vin",
)

SPEC = CheckSpec(
    kind="pattern",
    summary="Answers yes where one of its patterns matches",
    answers="answer",
    cost=scan_cost(0.5),
    properties=(
        PropertySpec(
            "match", "pattern", "a pattern; any of them may match", required=True, repeated=True
        ),
        # The range is that of the bound: entropy in bits per character.
        PropertySpec(
            "valid",
            "validator",
            "what a match has to pass; only `entropy` takes a bound",
            choices=VALIDATORS,
            minimum=0.0,
            maximum=8.0,
        ),
        LABEL,
        VIEWS,
    ),
    spans=True,
    yes_rate=0.01,
)
