"""Laws over generated policies: one style, one meaning, whatever the order of the file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest

from guardkit.diagnostics import Source
from guardkit.guard import compile_text
from guardkit.semantics import CheckedPolicy
from guardkit.syntax import format_source, parse

from ._policies import random_policy

SAMPLES = Path(__file__).parent.parent / "samples"
TODAY = date(2026, 11, 21)


def compiled(text: str) -> CheckedPolicy:
    checked = compile_text(text, root=SAMPLES, std=SAMPLES / "std", today=TODAY)
    assert checked.policy is not None, (text, checked.diagnostics)
    return checked.policy


def hold_format(seed: int) -> None:
    source = Source("made_up.guard", random_policy(seed).text())
    once = format_source(source)
    assert format_source(Source("made_up.guard", once)) == once
    assert parse(Source("made_up.guard", once)).file == parse(source).file


def test_format_is_idempotent_and_keeps_the_tree() -> None:
    for seed in range(2_000):
        hold_format(seed)


@pytest.mark.full
@pytest.mark.timeout(36_000)
def test_format_is_idempotent_and_keeps_the_tree_100_000_times() -> None:
    for seed in range(100_000):
        hold_format(seed)


def test_formatting_never_changes_the_meaning() -> None:
    for seed in range(300):
        text = random_policy(seed).text()
        formatted = format_source(Source("made_up.guard", text))
        assert compiled(text) == compiled(formatted)


def test_order_of_declarations_never_matters() -> None:
    random = Random(5)
    for seed in range(300):
        written = random_policy(seed)
        order = list(range(len(written.declarations)))
        random.shuffle(order)
        assert compiled(written.text()) == compiled(written.text(order))


def test_one_more_declaration_changes_nothing_else() -> None:
    extra = 'rule zz_extra {\n  tier safety\n  on input\n  when c0_extra\n  then block "No."\n}'
    check = "check c0_extra = invisible { }"
    for seed in range(200):
        written = random_policy(seed)
        before = compiled(written.text())
        written.declarations.extend([extra, check])
        after = compiled(written.text())
        kept = tuple(rule for rule in after.rules if rule.name != "zz_extra")
        checks = tuple(one for one in after.checks if one.name != "c0_extra")
        assert replace(after, rules=kept, checks=checks) == before
