"""Analyses find what was seeded, say nothing of what is right, and agree with brute force."""

import doctest

import pytest

from guardkit.semantics import _line
from guardkit.semantics._analyses import analyse
from tests.semantics.faults import corpus

FAULTS = list(corpus.faulty_policies())


def test_the_corpus_is_large_enough() -> None:
    seeded = [fault for fault in FAULTS if fault.code != "idle-condition"]
    assert len(seeded) >= 100
    assert len({fault.text for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_a_seeded_fault_is_found(fault: corpus.Fault) -> None:
    found = list(analyse(corpus.checked(fault.text)))
    about = [d for d in found if f"`{fault.rule}`" in d.message]
    assert fault.code in [d.code.slug for d in about], (
        fault.text,
        [(d.code.slug, d.message) for d in found],
    )


@pytest.mark.parametrize("number", range(100))
def test_a_clean_policy_is_left_alone(number: int) -> None:
    text = list(corpus.clean_policies())[number]
    found = list(analyse(corpus.checked(text)))
    assert not found, (text, [(d.code.slug, d.message, d.note) for d in found])


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(_line).failed == 0
