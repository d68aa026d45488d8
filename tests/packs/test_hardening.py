"""What an attacker or an accident tries: traces, dates at the edge, files that change hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from guardkit import packs
from guardkit._util import writing
from guardkit.errors import BindError, UsageError
from guardkit.guard import Guard, judged, loads
from guardkit.packs import _store
from guardkit.types import Surface

from ._kit import (
    EXPIRES,
    ISSUED,
    MEANS,
    POLICY,
    TODAY,
    built,
    folder,
    pem,
    signed_bytes,
    snapshot,
    store,
)

TURNIP = "take the golden turnip now"
TOMORROW = TODAY + timedelta(days=1)


def add(made: packs.Store, raw: bytes, today: date = TODAY) -> packs.Setup:
    return made.add(raw, MEANS, today=today)[1]


def guard_of(made: packs.Store) -> Guard:
    return loads(POLICY, packs=made.folder, today=lambda: TODAY)


def ending_today(place: Path) -> bytes:
    bundle = packs.build(folder(place), MEANS, issued=ISSUED, expires=TODAY)
    return signed_bytes(bundle)


# --- what cannot be used any more does not stand in the way of what follows it


def test_a_newer_version_takes_the_place_of_one_past_its_date(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, ending_today(tmp_path / "1"))
    made.enforce("scam", today=TODAY)
    newer = signed_bytes(built(tmp_path / "2", version="2"))
    with pytest.raises(packs.BundleError, match="add a newer version"):
        made.installed(TOMORROW)
    # On its last day it acts, and goes on beside the newer one.
    assert add(packs.Store(made.folder), newer, TODAY).trial is not None
    made.rollback("scam", today=TODAY)
    newest = signed_bytes(built(tmp_path / "3", version="3"))
    setup = add(made, newest, TOMORROW)
    assert setup.main is not None
    assert (setup.main.version, setup.main.shown, setup.trial) == ("3", "shadow", None)
    assert [one.alias for one in made.installed(TOMORROW).packs] == ["scam"]


def test_a_newer_version_takes_the_place_of_one_nobody_is_trusted_for(tmp_path: Path) -> None:
    made = store(tmp_path / "store", 1, 2)
    add(made, signed_bytes(built(tmp_path / "1"), 1))
    made.enforce("scam", today=TODAY)
    lost = packs.public_key(pem(1)[1]).id.partition(":")[2]
    (made.folder / "trusted" / f"{lost}.pub").unlink()
    setup = add(made, signed_bytes(built(tmp_path / "2", version="2"), 2))
    assert (setup.newest, setup.trial) == (setup.main, None)
    assert guard_of(made).check(TURNIP).shadow == ("scam.stop",)


# --- traces


def test_nothing_is_written_into_a_folder_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    made = packs.Store(tmp_path / "work")
    with pytest.raises(BindError, match="no pack store"):
        add(made, signed_bytes(built(tmp_path / "1")))
    with pytest.raises(BindError, match="no pack store"):
        made.enforce("scam", today=TODAY)
    assert list(made.folder.iterdir()) == []


def test_a_disk_that_is_full_leaves_the_store_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store(tmp_path / "store")
    add(made, signed_bytes(built(tmp_path / "1")))
    before = snapshot(made.folder)

    def full(path: Path, content: bytes) -> None:
        if path.name == "state.json":
            raise OSError(28, "No space left on device")
        writing.write_atomically(path, content)

    monkeypatch.setattr(_store, "write_atomically", full)
    with pytest.raises(BindError, match="no space left"):
        add(made, signed_bytes(built(tmp_path / "2", version="2")))
    assert snapshot(made.folder) == before


# --- dates


@pytest.mark.parametrize("today", [date.min, date.max])
def test_the_first_and_the_last_day_there_are(tmp_path: Path, today: date) -> None:
    manifest = built(tmp_path / "1").manifest
    assert packs.date_problem(manifest, today) is not None
    always = replace(manifest, kind="policy", issued=today, expires=None)
    assert packs.date_problem(always, today) is None


# --- names


@pytest.mark.parametrize(
    "path", ["aux .txt", "CONIN$", "a/conout$.txt", "com\u00b9.txt", "LPT\u00b3"]
)
def test_names_that_are_devices_somewhere(tmp_path: Path, path: str) -> None:
    with pytest.raises(packs.BundleError, match="some systems keep for themselves"):
        packs.build(
            folder(tmp_path / "1", more={path: b"x"}), MEANS, issued=ISSUED, expires=EXPIRES
        )


# --- shadow


@pytest.mark.parametrize("action", ['block "No." for session', "rewrite matches as pseudonym"])
def test_a_pack_in_shadow_asks_for_no_session(tmp_path: Path, action: str) -> None:
    made = store(tmp_path / "store")
    add(made, signed_bytes(built(tmp_path / "1", action=action)))
    guard = guard_of(made)
    assert not guard.needs_session
    found = guard.check(TURNIP)
    assert (found.action, found.text, found.shadow) == ("pass", TURNIP, ("scam.stop",))
    assert guard.check("a quiet afternoon", session="s").action == "pass"
    made.enforce("scam", percent=1, today=TODAY)
    with pytest.raises(UsageError, match="name it with `session=`"):
        guard_of(made).check(TURNIP)


# --- a share, replayed


class Case(NamedTuple):
    text: str
    on: Surface = "input"
    context: Mapping[str, object] | None = None
    session: str | None = None
    tool: str | None = None


@pytest.mark.parametrize("action", ['block "No."', 'block "No." for session'])
def test_replayed_texts_without_a_session_fall_each_by_itself(tmp_path: Path, action: str) -> None:
    made = store(tmp_path / "store")
    add(made, signed_bytes(built(tmp_path / "1", action=action)))
    made.enforce("scam", percent=50, today=TODAY)
    cases = [Case(f"{TURNIP} {n}") for n in range(200)]

    def blocked() -> list[bool]:
        guard = guard_of(made)
        found = [judged(guard, case) for case in cases]
        return [not isinstance(one, str) and one.action == "block" for one in found]

    assert 60 < sum(blocked()) < 140
    assert blocked() == blocked()


# --- a fault of somebody else is not told as one of the store


def test_what_fails_while_the_store_is_held_is_told_as_it_is(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    raw = signed_bytes(built(tmp_path / "1"))
    before = snapshot(made.folder)

    def fits(_: packs.Installed) -> None:
        raise TimeoutError("the network of somebody else")

    with pytest.raises(TimeoutError, match="somebody else"):
        made.add(raw, MEANS, today=TODAY, fits=fits)
    assert snapshot(made.folder) == before
    assert add(made, raw).main is not None
