"""The store: what is refused leaves no trace, what is added is in shadow, what was comes back."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from guardkit import packs
from guardkit.errors import BindError, PolicyError
from guardkit.guard import compile_text, means_of

from ._kit import (
    EXPIRES,
    ISSUED,
    MEANS,
    POLICY,
    ROOT,
    TODAY,
    built,
    example,
    folder,
    key,
    pem,
    signed_bytes,
    snapshot,
    store,
)


def add(made: packs.Store, raw: bytes, today: date = TODAY) -> packs.Setup:
    return made.add(raw, MEANS, today=today)[1]


def modes(made: packs.Store, today: date = TODAY) -> list[tuple[str, str, str]]:
    return [
        (one.alias, one.placed.version, one.placed.shown) for one in made.installed(today).packs
    ]


def version(place: Path, number: str, **changes: str) -> bytes:
    return signed_bytes(built(place, version=number, **changes))


# --- what is refused, and that nothing is left of it


def not_signed(place: Path) -> bytes:
    return packs.to_bytes(built(place, version="2"))


def signed_by_a_stranger(place: Path) -> bytes:
    return signed_bytes(built(place, version="2"), 7)


def falsely_signed(place: Path) -> bytes:
    one = packs.signed(built(place, version="2"), key())
    other = built(place, version="2", phrase="silver turnip")
    return packs.to_bytes(replace(other, signatures=one.signatures))


def past_its_date(place: Path) -> bytes:
    bundle = packs.build(
        folder(place, version="2"), MEANS, issued=ISSUED, expires=TODAY - timedelta(days=1)
    )
    return signed_bytes(bundle)


def of_the_future(place: Path) -> bytes:
    bundle = packs.build(
        folder(place, version="2"), MEANS, issued=TODAY + timedelta(days=3), expires=EXPIRES
    )
    return signed_bytes(bundle)


def the_same_again(place: Path) -> bytes:
    return version(place, "1")


def the_same_with_zeros(place: Path) -> bytes:
    return version(place, "1.0")


def older(place: Path) -> bytes:
    return version(place, "0.9")


def outside(place: Path) -> bytes:
    data = json.loads(version(place, "2"))
    for files in (data["files"], data["manifest"]["files"]):
        files["../phrases.txt"] = files.pop("words/phrases.txt")
    return json.dumps(data, sort_keys=True, indent=1).encode() + b"\n"


def with_failing_tests(place: Path) -> bytes:
    """Built and signed by somebody who did not run them."""
    folder(place, version="2")
    text = (place / "scam.guard").read_text()
    (place / "scam.guard").write_text(text.replace("a quiet afternoon", "a golden turnip"))
    return signed_bytes(packs.build(place, means_of(), issued=ISSUED, expires=EXPIRES))


def that_does_not_compile(place: Path) -> bytes:
    bundle = built(place, version="2")
    entry = bundle.manifest.entry
    files = {**bundle.files, entry: bundle.files[entry].replace(b"when wave", b"when wafe")}
    rows = tuple(
        packs.FileRow(path, __import__("hashlib").sha256(c).hexdigest(), len(c))
        for path, c in sorted(files.items())
    )
    return signed_bytes(packs.Bundle(replace(bundle.manifest, files=rows), files))


def a_policy(place: Path) -> bytes:
    place.mkdir()
    (place / "shop.guard").write_text(POLICY)
    return signed_bytes(packs.build(place, MEANS, issued=ISSUED))


def no_bundle(place: Path) -> bytes:
    return b"turnips\n"


@pytest.mark.parametrize(
    ("made_by", "says"),
    [
        (not_signed, "nobody signed it"),
        (signed_by_a_stranger, "no key that signed it is trusted"),
        (falsely_signed, "not genuine"),
        (past_its_date, "past its date"),
        (of_the_future, "clock"),
        (the_same_again, "only a newer one"),
        (the_same_with_zeros, "only a newer one"),
        (older, "version 1 was installed here"),
        (outside, "leads outside its folder"),
        (with_failing_tests, "fails"),
        (that_does_not_compile, "wafe"),
        (a_policy, "not a pack"),
        (no_bundle, "no bundle"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("is_enforced", [False, True])
def test_a_refused_pack_leaves_the_store_as_it_is(
    tmp_path: Path, made_by: Callable[[Path], bytes], says: str, is_enforced: bool
) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "first", "1"))
    if is_enforced:
        made.enforce("scam", today=TODAY)
    before = snapshot(made.folder)
    with pytest.raises((packs.BundleError, PolicyError)) as caught:
        add(made, made_by(tmp_path / "pack"))
    assert says in str(caught.value)
    assert snapshot(made.folder) == before
    assert len(modes(made)) == 1


def test_what_does_not_fit_the_policy_is_refused(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    before = snapshot(made.folder)
    taken = POLICY.replace("check order_number", "check scam").replace(
        "when order_n", "when scam #"
    )
    taken = taken.replace("scam #umber", "scam")

    def fits(acting: packs.Installed) -> None:
        checked = compile_text(taken, packs=acting)
        if checked.policy is None:
            raise PolicyError(checked.diagnostics)

    assert compile_text(taken).policy is not None
    with pytest.raises(PolicyError) as caught:
        made.add(version(tmp_path / "pack", "1"), MEANS, today=TODAY, fits=fits)
    assert "`scam` has a name that is taken" in str(caught.value)
    assert snapshot(made.folder) == before


def test_nothing_is_added_without_running_its_tests(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    with pytest.raises(TypeError, match="without its tests"):
        made.add(version(tmp_path / "pack", "1"), means_of(), today=TODAY)


def test_a_removed_pack_comes_back_only_newer(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "2", "2"))
    made.remove("scam")
    assert modes(made) == []
    for number in ("1", "2", "2.0", "1.9"):
        with pytest.raises(packs.BundleError, match="only a newer one"):
            add(made, version(tmp_path / "old", number))
    add(made, version(tmp_path / "3", "2.1"))
    assert modes(made) == [("scam", "2.1", "shadow")]


# --- how packs act


def test_a_pack_begins_in_shadow(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    assert add(made, example()).main == made.installed(TODAY).packs[0].placed
    assert modes(made) == [("gift_card", "1", "shadow")]


def test_a_newer_version_is_tried_beside_the_one_in_force(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "1", "1"))
    made.enforce("scam", today=TODAY)
    add(made, version(tmp_path / "2", "2"))
    assert modes(made) == [("scam", "1", "enforced"), ("scam_next", "2", "shadow")]
    made.enforce("scam", percent=10, today=TODAY)
    assert modes(made) == [("scam", "1", "enforced"), ("scam_next", "2", "enforced for 10 %")]
    made.shadow("scam", today=TODAY)
    assert modes(made) == [("scam", "1", "enforced"), ("scam_next", "2", "shadow")]
    add(made, version(tmp_path / "3", "3"))
    assert modes(made) == [("scam", "1", "enforced"), ("scam_next", "3", "shadow")]
    made.enforce("scam", today=TODAY)
    assert modes(made) == [("scam", "3", "enforced")]


def test_a_newer_version_of_one_in_shadow_takes_its_place(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "1", "1"))
    add(made, version(tmp_path / "2", "2"))
    assert modes(made) == [("scam", "2", "shadow")]


def test_rolling_back_undoes_one_change_after_another(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    seen = []
    steps: list[Callable[[], object]] = [
        lambda: add(made, version(tmp_path / "1", "1")),
        lambda: made.enforce("scam", percent=12.5, today=TODAY),
        lambda: made.enforce("scam", today=TODAY),
        lambda: add(made, version(tmp_path / "2", "2")),
        lambda: made.enforce("scam", today=TODAY),
        lambda: made.shadow("scam", today=TODAY),
        lambda: made.remove("scam"),
    ]
    for step in steps:
        seen.append(modes(made))
        step()
    for expected in reversed(seen):
        made.rollback("scam", today=TODAY)
        assert modes(made) == expected
    with pytest.raises(packs.BundleError, match="no change that could be rolled back"):
        made.rollback("scam", today=TODAY)
    # Going back is no way to install an older version anew.
    with pytest.raises(packs.BundleError, match="version 2 was installed here"):
        add(made, version(tmp_path / "old", "1.5"))


def test_a_version_past_its_date_does_not_come_back(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    short = packs.build(folder(tmp_path / "1"), MEANS, issued=ISSUED, expires=TODAY)
    add(made, signed_bytes(short))
    add(made, version(tmp_path / "2", "2"))
    before = snapshot(made.folder)
    with pytest.raises(packs.BundleError, match="past its date"):
        made.rollback("scam", today=TODAY + timedelta(days=1))
    assert snapshot(made.folder) == before


def test_only_so_many_changes_are_kept(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    for number in range(1, 13):
        add(made, version(tmp_path / "pack", str(number)))
    assert len(list((made.folder / "bundles").iterdir())) == 9
    for _ in range(8):
        made.rollback("scam", today=TODAY)
    assert modes(made) == [("scam", "4", "shadow")]
    with pytest.raises(packs.BundleError, match="rolled back"):
        made.rollback("scam", today=TODAY)


def test_changes_of_what_is_not_there_are_refused(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "1", "1"))
    before = snapshot(made.folder)
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: made.enforce("other", today=TODAY), "no pack `other`"),
        (lambda: made.shadow("other", today=TODAY), "no pack `other`"),
        (lambda: made.rollback("../x", today=TODAY), "no pack"),
        (lambda: made.remove("other"), "no pack `other`"),
        (lambda: made.shadow("scam", today=TODAY), "acts so already"),
        (lambda: made.enforce("scam", percent=0, today=TODAY), "share"),
        (lambda: made.enforce("scam", percent=101, today=TODAY), "share"),
        (lambda: made.enforce("scam", percent=-5, today=TODAY), "share"),
        (lambda: made.enforce("scam", percent=0.001, today=TODAY), "share"),
        (lambda: made.enforce("scam", percent=float("nan"), today=TODAY), "share"),
    ]
    for change, says in changes:
        with pytest.raises(packs.BundleError, match=says):
            change()
    assert snapshot(made.folder) == before
    made.remove("scam")
    with pytest.raises(packs.BundleError, match="was removed"):
        made.enforce("scam", today=TODAY)


# --- loading again


def test_every_pack_is_verified_again(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, example())
    add(made, version(tmp_path / "1", "1"))
    path = made.folder / "bundles" / "scam-1.gkb"
    raw = path.read_bytes()

    def problems(today: date = TODAY) -> tuple[str, ...]:
        with pytest.raises(packs.BundleError) as caught:
            made.installed(today)
        return caught.value.problems

    late = problems(EXPIRES + timedelta(days=1))
    assert len(late) == 2
    assert all("past its date" in one and "guardkit packs remove" in one for one in late)

    path.write_bytes(raw.replace(b"A", b"B", 1))
    assert "not the file that was installed" in problems()[0]
    path.write_bytes(signed_bytes(built(tmp_path / "other", phrase="silver turnip")))
    assert "not the file that was installed" in problems()[0]
    path.unlink()
    assert "does not exist" in problems()[0]
    path.symlink_to(tmp_path / "elsewhere.gkb")
    (tmp_path / "elsewhere.gkb").write_bytes(raw)
    assert "outside" in problems()[0]
    path.unlink()
    path.write_bytes(raw)
    assert len(modes(made)) == 2

    (key_file,) = (made.folder / "trusted").iterdir()
    public = key_file.read_bytes()
    key_file.write_bytes(pem(2)[1])
    assert all("no key that signed it is trusted" in one for one in problems())
    key_file.write_bytes(public[:-40])
    with pytest.raises(BindError, match="not a public Ed25519 key"):
        made.installed(TODAY)


def test_a_store_is_not_made_by_looking(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(BindError, match=r"no pack store.*guardkit packs trust"):
            packs.Store(place).installed(TODAY)
        with pytest.raises(BindError, match="no pack store"):
            add(packs.Store(place), example())
    assert list(tmp_path.glob("**/bundles")) == []


def test_a_store_that_lost_its_state_is_not_begun_anew(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, example())
    (made.folder / "state.json").unlink()
    with pytest.raises(BindError, match=r"has lost its `state\.json`"):
        packs.Store.create(made.folder)
    with pytest.raises(BindError, match="no pack store"):
        made.installed(TODAY)
    assert packs.Store.create(tmp_path / "new").installed(TODAY).packs == ()


def test_making_a_store_twice_keeps_it(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, example())
    before = snapshot(made.folder)
    assert snapshot(packs.Store.create(made.folder).folder) == before


def test_a_damaged_state_is_refused_whatever_it_is(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "1", "1"))
    made.enforce("scam", percent=25, today=TODAY)
    path = made.folder / "state.json"
    raw = path.read_bytes()
    chance = random.Random(5)
    for _ in range(300):
        data = bytearray(raw)
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at]
            case _:
                data.insert(at, chance.randrange(256))
        if bytes(data) == raw:
            continue
        path.write_bytes(bytes(data))
        with pytest.raises(BindError, match=r"`state\.json` of"):
            made.installed(TODAY)
        with pytest.raises(BindError, match=r"`state\.json` of"):
            made.remove("scam")
    for content in (b"", b"{}", b"null", b"[" * 100_000, b"\xff"):
        path.write_bytes(content)
        with pytest.raises(BindError, match="damaged, or was changed by hand"):
            made.installed(TODAY)
    path.write_bytes(raw)
    assert modes(made) == [("scam", "1", "enforced for 25 %")]


def hand_written(change: Callable[[dict[str, Any]], None], raw: bytes) -> bytes:
    """A changed state with a digest that fits: only its sense can give it away."""
    from hashlib import sha256

    data = json.loads(raw)
    change(data["packs"])
    dense = json.dumps(data["packs"], sort_keys=True, separators=(",", ":"))
    data["sha256"] = sha256(b"guardkit pack store\n" + dense.encode()).hexdigest()
    return json.dumps(data, sort_keys=True, indent=1).encode() + b"\n"


A_VERSION = {"mode": "shadow", "percent": 100.0, "sha256": "0" * 64, "version": "1"}


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["scam"].pop("floor"),
        lambda found: found["scam"].update(floor="x"),
        lambda found: found["scam"].update(extra=1),
        lambda found: found["scam"].update(setup={"main": None, "trial": dict(A_VERSION)}),
        lambda found: found["scam"]["setup"]["main"].update(percent=200.0),
        lambda found: found["scam"]["setup"]["main"].update(percent=50),
        lambda found: found["scam"]["setup"]["main"].update(mode="off"),
        lambda found: found["scam"]["setup"]["main"].update(sha256="../../etc"),
        lambda found: found["scam"]["setup"]["main"].update(version="../1"),
        lambda found: found.update({"../scam": found.pop("scam")}),
        lambda found: found["scam"].update(before=[found["scam"]["setup"]] * 9),
        lambda found: found["scam"].update(before={}),
    ],
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    made = store(tmp_path / "store")
    add(made, version(tmp_path / "1", "1"))
    path = made.folder / "state.json"
    raw = path.read_bytes()
    assert hand_written(lambda found: None, raw) == raw
    path.write_bytes(hand_written(change, raw))
    with pytest.raises(BindError, match="damaged, or was changed by hand"):
        made.installed(TODAY)


# --- several at once

ADDS = """
import sys
from pathlib import Path
from tests.packs._kit import MEANS, TODAY
from guardkit import packs

store = packs.Store(sys.argv[1])
for path in sys.argv[2:]:
    store.add(Path(path).read_bytes(), MEANS, today=TODAY)
    print(path)
"""


def test_adds_at_the_same_time_do_not_lose_each_other(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    ways = []
    for who in range(3):
        names = []
        for number in range(3):
            name = f"scam_{who}_{number}"
            place = folder(tmp_path / name)
            text = (place / "scam.guard").read_text().replace("module scam", f"module {name}")
            (place / "scam.guard").unlink()
            (place / f"{name}.guard").write_text(text)
            bundle = packs.build(place, MEANS, issued=ISSUED, expires=EXPIRES)
            path = tmp_path / f"{name}.gkb"
            path.write_bytes(signed_bytes(bundle))
            names.append(str(path))
        ways.append(names)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ADDS, str(made.folder), *names],
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for names in ways
    ]
    for one in running:
        _, said = one.communicate(timeout=50)
        assert one.returncode == 0, said
    assert [alias for alias, _, _ in modes(made)] == [
        f"scam_{who}_{number}" for who in range(3) for number in range(3)
    ]


def test_one_version_is_added_once_however_many_try(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    path = tmp_path / "scam.gkb"
    path.write_bytes(version(tmp_path / "1", "1"))
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ADDS, str(made.folder), str(path)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [one.communicate(timeout=50) for one in running]
    assert sorted(one.returncode for one in running) == [0, 1, 1]
    assert sum("only a newer one" in error for _, error in said) == 2
    assert modes(made) == [("scam", "1", "shadow")]


def test_a_store_held_by_somebody_else_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardkit._util.locking import locked
    from guardkit.packs import _store

    made = store(tmp_path / "store")
    monkeypatch.setattr(_store, "_PATIENCE_S", 0.05)
    with (
        locked(made.folder / ".lock", patience_s=0),
        pytest.raises(BindError, match="being changed by somebody else"),
    ):
        add(made, example())
    add(made, example())


def test_listing_tells_of_all_that_ever_was(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    add(made, example())
    add(made, version(tmp_path / "1", "1"))
    made.remove("scam")
    gift, scam = made.listed(TODAY)
    assert (gift.name, gift.problems, sorted(gift.bundles)) == ("gift_card", (), ["1"])
    assert (scam.name, scam.setup.newest, scam.floor, scam.steps) == ("scam", None, "1", 2)
    (late, _) = made.listed(EXPIRES + timedelta(days=1))
    assert "past its date" in late.problems[0]
    assert late.bundles == {}
