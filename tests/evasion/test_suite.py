"""The suite itself: are there enough cases, and is what it calls ordinary free of payloads?"""

from __future__ import annotations

import re
from collections import Counter

from guardkit.text import DISGUISES, FORMS

from ._cases import COVERS, IN_CLEAR, NAMES, PER_CHARACTER, PHRASES, cases, controls, table
from ._corpus import LANGUAGES, lines

PAYLOADS = (*PHRASES, *NAMES)
ANY_PAYLOAD = re.compile("|".join(map(re.escape, PAYLOADS)), re.IGNORECASE)


def test_controls_are_many_and_apart() -> None:
    every = controls()
    assert len(every) >= 60
    assert max(Counter(control.id for control in every).values()) == 1
    assert max(Counter(control.text for control in every).values()) == 1


def test_ordinary_text_holds_no_payload() -> None:
    texts = [control.text for control in controls()]
    texts += [line for _, line in lines(2_000)]
    texts += [part for cover in COVERS for part in cover]
    assert not [text for text in texts if ANY_PAYLOAD.search(text)]


def test_ordinary_lines_are_many_and_repeatable() -> None:
    made = list(lines(2_000))
    assert made == list(lines(2_000))
    assert len(set(made)) > 1_900
    assert len({language for language, _ in made}) == len(LANGUAGES) >= 12


def test_each_form_meets_each_payload_in_each_cover() -> None:
    for name in DISGUISES:
        made = list(cases(name, PAYLOADS))
        assert len(made) == FORMS[name] * len(PAYLOADS) * len(COVERS)
        assert len({case.form for case in made}) == FORMS[name]


def test_a_payload_in_clear_stands_where_the_case_says() -> None:
    assert set(DISGUISES) >= PER_CHARACTER
    for name in IN_CLEAR:
        for case in cases(name, PAYLOADS):
            assert case.text[case.start : case.end] in PAYLOADS


def test_the_table_names_the_form_that_fell_short() -> None:
    missed = list(cases("hex", NAMES[:1]))[:2]
    lines_ = table("hex", 1.0, missed, 8).splitlines()
    assert len(lines_) == 3
    assert re.fullmatch(r"hex +6/8 +75\.0% +100%  plain \(2x\)", lines_[1])
