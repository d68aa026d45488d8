"""Canaries: found in any view and any case, and unknown where there is none."""

from __future__ import annotations

import pytest

from guardkit.checks.live import _canary

from ._around import HOSTILE, Here, Read, Seen, grows_in_step

CANARY = "gk-0a1b2c3d4e5f6789"


def spans(read: Read) -> list[tuple[int, int]]:
    answer = _canary.bind({}, Here()).read(read)
    assert answer.value is bool(answer.hits)
    return [(hit.start, hit.end) for hit in answer.hits]


def test_each_appearance_is_a_span() -> None:
    assert spans(Read(f"x {CANARY} {CANARY}", CANARY)) == [(2, 21), (22, 41)]


def test_case_does_not_matter() -> None:
    assert spans(Read(f"İ {CANARY.upper()}", CANARY)) == [(2, 21)]


def test_another_mark_is_none() -> None:
    assert spans(Read("gk-0a1b2c3d4e5f6780", CANARY)) == []


def test_a_session_without_a_canary_is_unknown() -> None:
    live = _canary.bind({}, Here())
    assert live.read(Read("anything")).value is None
    assert live.read(Read("anything", "")).value is None


def test_what_could_not_be_decoded_is_unknown_unless_something_is_found() -> None:
    live = _canary.bind({}, Here())
    assert live.read(Read("nothing", CANARY, is_complete=False)).value is None
    assert live.read(Read(CANARY, CANARY, is_complete=False)).value is True


def test_a_decoded_view_leads_back_to_the_original() -> None:
    assert spans(Read("....", CANARY, more=(Seen(f"a {CANARY}", "base64", shift=10),))) == [
        (12, 31)
    ]


@pytest.mark.parametrize("loose", ["gk-oaib2c3d4e5f67b9", "gk o a i b z c e d a e s f 6 t b g"])
def test_a_loose_view_is_read_in_its_own_spelling(loose: str) -> None:
    """Spaced out, and with the digits that resemble letters as letters."""
    folded = loose.translate(str.maketrans("0123456789", "oizeas6tbg"))
    assert spans(Read("....", CANARY, more=(Seen(folded, "loose", "loose"),)))


def test_a_view_of_the_same_place_adds_nothing() -> None:
    text = f"x {CANARY}"
    assert spans(Read(text, CANARY, more=(Seen(text, "folded"),))) == [(2, 21)]


@pytest.mark.parametrize("piece", [*HOSTILE, CANARY, CANARY[:-1], "gk-", "g "])
def test_time_grows_with_the_text(piece: str) -> None:
    live = _canary.bind({}, Here())

    def read(text: str) -> object:
        return live.read(Read(text, CANARY, more=(Seen(text, "loose", "loose"),)))

    assert grows_in_step(read, piece)
