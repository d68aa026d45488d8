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

from collections.abc import Mapping, Sequence

from guardkit.catalog import CheckSpec, Form, Hit, PropertySpec, Setting
from guardkit.errors import CheckError

from ._loosen import every_word, first_words, key_words, loosen, reads_loose
from ._matches import Program, TooManyError, find_all, iter_all, outermost, prepare, with_flags
from ._properties import LABEL, VIEWS
from ._shapes import holds_blank, shortest_of
from ._shared_costs import scan_cost
from ._validators import Validator, validator

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


def bind(config: Mapping[str, object], setting: Setting) -> PatternFinder:
    """A finder for the patterns of one check.

    Raises:
        BindError: A pattern is too large for this machine.
    """
    matches = config.get("match")
    patterns = [
        (str(match[0]), str(match[1]))
        for match in (matches if isinstance(matches, tuple) else ())
        if isinstance(match, tuple)
    ]
    valid = config.get("valid")
    accepts = validator(str(valid[0]), float(valid[1])) if isinstance(valid, tuple) else None
    wide = [
        int(match[2])
        for match in (matches if isinstance(matches, tuple) else ())
        if isinstance(match, tuple) and len(match) > 2 and holds_blank(str(match[0]))
    ]
    spaced = max(wide, default=0)
    return PatternFinder(
        setting.name, patterns, accepts, is_loose=reads_loose(config), spaced=spaced
    )


class PatternFinder:
    """Finds the matches of some patterns; implements `Finder`.

    Args:
        name: The check's name, for errors.
        patterns: Sources with their flags.
        accepts: What a match has to pass.
        is_loose: Whether texts of form `loose` are read.
        spaced: The longest match that may have a blank in it; -1 where nothing bounds it.
    """

    __slots__ = (
        "_accepts",
        "_name",
        "_needles",
        "_programs",
        "key_words",
        "least",
        "spaced",
        "words",
    )

    def __init__(
        self,
        name: str,
        patterns: Sequence[tuple[str, str]],
        accepts: Validator | None,
        *,
        is_loose: bool,
        spaced: int = 0,
    ) -> None:
        self._name = name
        self.spaced = spaced
        self._accepts = accepts
        plain = tuple(prepare(source, flags) for source, flags in patterns)
        # A loose form has shorter loops than the pattern: it looks no further.
        loose = {
            form: prepare(form, is_near=not program.is_far)
            for (source, _), program in zip(patterns, plain, strict=True)
            if is_loose and (form := loosen(source)) is not None
        }
        self._needles: dict[Form, tuple[str, ...]] = {
            "plain": tuple(with_flags(source, flags) for source, flags in patterns),
            "loose": tuple(loose),
        }
        self._programs: dict[Form, tuple[Program, ...]] = {
            "plain": plain,
            "loose": tuple(loose.values()),
        }
        self.least = min(
            (shortest_of(source) for source in (*(one for one, _ in patterns), *loose)), default=0
        )
        sources = [source for source, _ in patterns] if is_loose else []
        self.key_words: tuple[str, ...] = first_words(map(key_words, sources))
        self.words: tuple[str, ...] = first_words(map(every_word, sources))

    def needles(self, form: Form) -> tuple[str, ...]:
        """The patterns themselves; for `loose` those of them that have such a form."""
        return self._needles[form]

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Every match of the patterns that were seen, one inside another left out.

        Raises:
            CheckError: There are more matches than can be validated.
        """
        spans: list[tuple[int, int]] = []
        for index in seen:
            program = self._programs[form][index]
            spans += self._valid(program, text) if self._accepts else find_all(program, text)
        return [Hit(start, end) for start, end in outermost(spans)]

    def _valid(self, program: Program, text: str) -> list[tuple[int, int]]:
        accepts = self._accepts
        assert accepts is not None
        try:
            return [(s, e) for s, e in iter_all(program, text) if accepts(text[s:e])]
        except TooManyError as error:
            raise CheckError(f"`{self._name}` has more matches than it can validate") from error
