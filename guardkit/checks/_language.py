"""Answers yes where a stretch of the text is in a language that is not among those that are fine.

What is fine is a list, or what another text of the exchange is written in, or both. With `allow`
alone every stretch is looked at: one foreign sentence in a long text is found, and is the span.
With `same_as` the text is judged as a whole: it is yes where more than half of its letters stand in
such stretches, so that a quoted line or an example is fine. When the other text is not part of the
exchange the answer is unknown.

It says no unless it is sure. A stretch has at least 20 letters, and its words speak so much more
for one of the other languages than for all that are fine together that it would be chance once in
3,000 times. That takes four words or more; a single word is no proof, a word with a capital
counts for a third, a repeated one for nothing. So names, loan words, greetings, numbers, short and
mixed texts are a no. A source too short to tell may be in any language, and then so may the reply.

Code between back ticks, quotations of up to 200 characters, lines that begin with `>`, tags,
addresses, paths and names with signs in them are left out. If next to nothing is left of a text
that is no reply, quotations and code are read after all.

Why it matters
    A deployment that was tested in two languages has been tested in no others: rules, examples and
    refusals are weaker there, which is a known way around them. And an answer in a language that
    the user does not read is no answer.

Known misses
    Languages that the list does not have: in a script of their own they are found, in a shared one
    they are found as the nearest, or not at all. Croatian, Bosnian and Serbian in Latin letters are
    one, and so are Indonesian and Malay. Danish and Norwegian are mixed up in short texts. Other
    languages written by sound in Latin letters (Hindi, Arabic, Russian). Foreign text in quotation
    marks or code blocks beside other text. Stretches of three words. A reply that was asked for in
    another language, a translation say, is in another language than the question.

Example
    check foreign = language {
      allow [en, de]
    }
    check switched = language {
      same_as input
    }

Options
    allow: the languages that are fine, by their two letters in ISO 639-1: `af`, `am`, `ar`, `az`,
        `be`, `bg`, `bn`, `bs`, `ca`, `cs`, `cy`, `da`, `de`, `el`, `en`, `es`, `et`, `eu`, `fa`,
        `fi`, `fr`, `ga`, `gl`, `gu`, `he`, `hi`, `hr`, `hu`, `hy`, `id`, `is`, `it`, `ja`, `ka`,
        `kk`, `km`, `kn`, `ko`, `lo`, `lt`, `lv`, `mk`, `ml`, `mr`, `ms`, `my`, `ne`, `nl`, `no`,
        `pa`, `pl`, `pt`, `ro`, `ru`, `si`, `sk`, `sl`, `sq`, `sr`, `sv`, `sw`, `ta`, `te`, `th`,
        `tl`, `tr`, `uk`, `ur`, `vi`, `zh`
    same_as: the text whose languages are fine: input, retrieved or context (the system prompt)
    label: what `{label}` stands for in a rewrite; the check's name in capitals when left out
    views: raw, cleaned, folded, all; all when left out

Cost
    About 130 µs for 1 KB, three times that where most words are met for the first time, and twice
    where a view has other words. With `same_as` as much again for the other text. Shared with
    nothing.

    Whether a reply is mostly in another language is known at its end: a rule with `same_as` on a
    stream needs `hold_back all`. With `allow` a foreign stretch is stopped where it stands.

Data it reads
    The text and its views, and with `same_as` the other text; the shipped table of languages, at
    bind. No network.
"""

from __future__ import annotations

from guardkit.catalog import CheckSpec, Cost, PropertySpec

from ._properties import LABEL, VIEWS

# fmt: off
LANGUAGES: tuple[str, ...] = (
    "af", "am", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es",
    "et", "eu", "fa", "fi", "fr", "ga", "gl", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it",
    "ja", "ka", "kk", "km", "kn", "ko", "lo", "lt", "lv", "mk", "ml", "mr", "ms", "my", "ne", "nl",
    "no", "pa", "pl", "pt", "ro", "ru", "si", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "te", "th",
    "tl", "tr", "uk", "ur", "vi", "zh",
)
# fmt: on

SPEC = CheckSpec(
    kind="language",
    summary="Answers yes where a stretch of the text is in a language that is not among those that"
    " are fine",
    answers="answer",
    cost=Cost(20.0, 130.0),
    properties=(
        PropertySpec("allow", "words", "the languages that are fine", choices=LANGUAGES),
        PropertySpec(
            "same_as",
            "word",
            "the text whose languages are fine",
            choices=("input", "retrieved", "context"),
        ),
        LABEL,
        VIEWS,
    ),
    spans=True,
    # What is told from so many characters; the stretch itself is held while it lasts.
    width=256,
    # INVARIANT: never narrower than any property needs; `allow` alone does with less.
    reach="whole",
    reach_with=(("same_as", "whole"), ("allow", "window")),
    one_of=("allow", "same_as"),
    costs=(
        ("same_as", "input", Cost(40.0, 260.0)),
        ("same_as", "retrieved", Cost(40.0, 260.0)),
        ("same_as", "context", Cost(40.0, 260.0)),
    ),
    yes_rate=0.01,
)
"""Finds stretches in languages that are not allowed, or not those of another text."""
