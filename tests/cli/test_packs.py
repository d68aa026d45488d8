"""`build`, `sign`, `verify`, `inspect` and `packs`: from a folder to a rule in force."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from guardkit.cli import _sign

from ..packs._kit import BENIGN, EXAMPLE, HARM
from ..packs._kit import POLICY as SHOP
from ._run import Done, guardkit, plain, process

POLICY = (
    SHOP
    + """
test "an order number" {
  input  "SH-2026-123456"
  expect rewrite by no_orders
}
"""
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy, a pack's source and a key, and the tests run in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.guard").write_text(POLICY)
    shutil.copytree(EXAMPLE, tmp_path / "gift_card")
    assert guardkit("sign", "--new-key", "team.key").code == 0
    return tmp_path


def ok(*arguments: str | Path) -> Done:
    done = guardkit(*arguments)
    assert done.code == 0, (arguments, done)
    return done


def version(number: str) -> None:
    path = Path("gift_card/gift_card.guard")
    text = path.read_text()
    before = text.split('version "')[1].split('"')[0]
    path.write_text(text.replace(f'version "{before}"', f'version "{number}"', 1))


def bundle(number: str = "1", *options: str) -> str:
    version(number)
    ok("build", "gift_card", "--force", *(options or ("--days", "90")))
    name = f"gift_card-{number}.gkb"
    ok("sign", name, "--key", "team.key")
    return name


def deployed() -> str:
    ok("packs", "trust", "deploy", "team.key.pub")
    ok("packs", "add", "deploy", bundle(), "--policy", "shop.guard")
    return "deploy"


# --- keys


def test_a_new_key_is_a_pair_and_nobody_else_reads_the_private_half(place: Path) -> None:
    done = ok("sign", "--new-key", "other.key")
    assert done.out.startswith("ed25519:")
    assert stat.S_IMODE((place / "other.key").stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in (place / "other.key").read_bytes()
    assert b"PUBLIC KEY" in (place / "other.key.pub").read_bytes()
    secret = (place / "other.key").read_text().splitlines()[1]
    assert secret not in done.out + done.err


@pytest.mark.parametrize("there", ["team.key", "team.key.pub"])
def test_a_key_is_never_overwritten(place: Path, there: str) -> None:
    content = (place / there).read_bytes()
    for name in {"team.key", "team.key.pub"} - {there}:
        (place / name).unlink()
    done = guardkit("sign", "--new-key", "team.key")
    assert (done.code, done.out) == (2, "")
    assert f"`{there}` is there already" in done.err
    assert (place / there).read_bytes() == content
    assert len(list(place.glob("team.key*"))) == 1


def test_a_key_that_others_can_read_is_said(place: Path) -> None:
    ok("build", "gift_card", "--days", "9")
    assert "chmod" not in ok("sign", "gift_card-1.gkb", "--key", "team.key").err
    os.chmod("team.key", 0o644)
    assert "chmod 600 team.key" in ok("sign", "gift_card-1.gkb", "--key", "team.key").err


def test_a_key_comes_from_standard_input(place: Path) -> None:
    ok("build", "gift_card", "--days", "9")
    key = (place / "team.key").read_bytes()
    (place / "team.key").unlink()
    assert guardkit("sign", "gift_card-1.gkb", "--key", "-", input=key).code == 0
    ok("verify", "gift_card-1.gkb", "--trust", "team.key.pub")
    done = guardkit("sign", "gift_card-1.gkb", "--key", "-", input=b"no key at all")
    assert done.code == 2
    assert "no key at all" not in done.err


# --- build


def test_two_builds_of_two_days_are_equal_with_fixed_dates(place: Path) -> None:
    made = []
    for name in ("one.gkb", "two.gkb"):
        dates = ("--issued", "2026-11-01", "--expires", "2027-01-31")
        assert ok("build", "gift_card", "-o", name, *dates).out == f"{name}\n"
        ok("sign", name, "--key", "team.key")
        made.append((place / name).read_bytes())
    assert made[0] == made[1]


def test_build_says_why_not(place: Path) -> None:
    done = guardkit("build", "gift_card")
    assert (done.code, done.out) == (1, "")
    assert "--expires DATE" in done.err
    assert guardkit("build", "nowhere", "--days", "9").code == 2
    assert guardkit("build", "gift_card", "--days", "9", "--expires", "2030-01-01").code == 2
    assert guardkit("build", "gift_card", "--expires", "tomorrow").code == 2
    ok("build", "gift_card", "--days", "9")
    done = guardkit("build", "gift_card", "--days", "9")
    assert done.code == 2
    assert "--force" in done.err

    path = Path("gift_card/gift_card.guard")
    text = path.read_text()
    path.write_text(text.replace("when     codes or pressure", "when     codes or presure"))
    done = guardkit("build", "gift_card", "--days", "9", "--force")
    assert done.code == 1
    assert "did you mean `pressure`" in done.err
    path.write_text(text.replace("Can I pay for my order with a gift card?", HARM))
    done = guardkit("build", "gift_card", "--days", "9", "--force")
    assert done.code == 1
    assert 'the test "ordinary talk about gift cards' in done.err
    assert done.err.rstrip().endswith("fails")


def test_a_policy_folder_becomes_a_policy_bundle(place: Path) -> None:
    (place / "shop").mkdir()
    (place / "shop" / "shop.guard").write_text(POLICY)
    assert ok("build", "shop").out == "shop-1.gkb\n"
    ok("sign", "shop-1.gkb", "--key", "team.key")
    ok("verify", "shop-1.gkb", "--trust", "team.key.pub", "--unpack", "live")
    assert (place / "live" / "shop.guard").read_text() == POLICY
    done = guardkit("verify", "shop-1.gkb", "--trust", "team.key.pub", "--unpack", "live")
    assert done.code == 2
    assert "there already" in done.err
    ok("packs", "trust", "deploy", "team.key.pub")
    done = guardkit("packs", "add", "deploy", "shop-1.gkb")
    assert done.code == 1
    assert "not a pack" in done.err


# --- verify and inspect


def test_verify_trusts_keys_files_and_folders(place: Path) -> None:
    name = bundle()
    done = ok("verify", name, "--trust", "team.key.pub")
    assert done.out.startswith("trusted  pack gift_card 1\n")
    (place / "keys").mkdir()
    shutil.copy("team.key.pub", "keys/team.pub")
    ok("verify", name, "--trust", "keys")
    ok("packs", "trust", "deploy", "team.key.pub")
    ok("verify", name, "--trust", "deploy")
    ok("sign", "--new-key", "other.key")
    done = guardkit("verify", name, "--trust", "other.key.pub")
    assert (done.code, done.out) == (1, "")
    assert "no key that signed it is trusted" in done.err
    ok("verify", name, "--trust", "other.key.pub", "--trust", "team.key.pub")


def test_verify_refuses_and_says_why(place: Path) -> None:
    ok("build", "gift_card", "--days", "9")
    trust = ("--trust", "team.key.pub")
    assert "nobody signed it" in guardkit("verify", "gift_card-1.gkb", *trust).err
    name = bundle()
    late = (date.today() + timedelta(days=91)).isoformat()
    done = guardkit("verify", name, *trust, "--at", late)
    assert done.code == 1
    assert "past its date" in done.err
    data = guardkit("verify", name, *trust, "--at", late, "--format", "json")
    assert json.loads(data.out)["trusted"] is False
    assert "past its date" in json.loads(data.out)["problems"][0]
    raw = (place / name).read_bytes()
    (place / name).write_bytes(raw.replace(b"gift_card", b"gift_cord"))
    for verb in (("verify", name, *trust), ("inspect", name), ("sign", name, "--key", "team.key")):
        assert guardkit(*verb).code == 1
    assert guardkit("verify", "nowhere.gkb", *trust).code == 2
    assert guardkit("verify", name, "--trust", "nowhere.pub").code == 2
    (place / "empty").mkdir()
    assert guardkit("verify", name, "--trust", "empty").code == 2
    assert guardkit("verify", name).code == 2
    assert guardkit("inspect", "nowhere.gkb").code == 2


def test_verify_as_json(place: Path) -> None:
    name = bundle()
    ok("sign", "--new-key", "other.key")
    ok("sign", name, "--key", "other.key")
    data = json.loads(ok("verify", name, "--trust", "team.key.pub", "--format", "json").out)
    assert (data["trusted"], data["name"], data["version"]) == (True, "gift_card", "1")
    assert sorted(row["trusted"] for row in data["signers"]) == [False, True]


def test_inspect_shows_what_it_is_and_no_examples(place: Path) -> None:
    ok("build", "gift_card", "--days", "9")
    done = ok("inspect", "gift_card-1.gkb", "--format", "text")
    for words in (
        "gift_card 1, a pack",
        "9 days left",
        "by nobody",
        "wave: block on input, retrieved, tool_result (safety, high)",
        "drafted: revise on output (guidelines)",
        "phrases.txt",
        "the message that goes round (3 cases)",
    ):
        assert words in done.out
    assert "settle your debt" not in done.out
    assert max(map(len, done.out.splitlines())) <= 84  # a digest is not broken
    ok("sign", "gift_card-1.gkb", "--key", "team.key")
    assert "(genuine)" in ok("inspect", "gift_card-1.gkb").out
    data = json.loads(ok("inspect", "gift_card-1.gkb", "--format", "json").out)
    assert [rule["name"] for rule in data["rules"]] == ["wave", "drafted"]
    assert data["signatures"][0]["genuine"] is True
    shown = ok("inspect", "gift_card-1.gkb", "--show", "phrases.txt")
    assert shown.out == (EXAMPLE / "phrases.txt").read_text()
    assert guardkit("inspect", "gift_card-1.gkb", "--show", "../x").code == 2


def test_inspect_says_that_a_signature_is_false(place: Path) -> None:
    name = bundle()
    data = json.loads((place / name).read_text())
    signature = data["signatures"][0]["signature"]
    data["signatures"][0]["signature"] = ("B" if signature[0] == "A" else "A") + signature[1:]
    (place / name).write_text(json.dumps(data, sort_keys=True, indent=1) + "\n")
    done = guardkit("inspect", name)
    assert done.code == 1
    assert "(not genuine)" in done.out


# --- packs


def test_the_whole_way_of_a_pack(place: Path) -> None:
    assert ok("scan", "shop.guard", HARM).out.startswith("pass")
    store = deployed()
    judged = ok("scan", "shop.guard", HARM, "--packs", store)
    assert "in shadow: gift_card.wave" in judged.out

    assert ok("packs", "enforce", store, "gift_card").out == "gift_card 1: enforced\n"
    done = guardkit("scan", "shop.guard", HARM, "--packs", store)
    assert done.code == 1
    assert "by gift_card.wave" in done.out
    ok("scan", "shop.guard", BENIGN, "--packs", store)
    (place / "harm.jsonl").write_text(json.dumps({"text": HARM, "expect": "refuse"}))
    probe = ("probe", "shop.guard", "--cases", "harm.jsonl", "--disguise", "none")
    for workers in ("1", "2"):
        how = ("--split", "none", "--json", "--workers", workers)
        found = [json.loads(ok(*probe, *how, *more).out) for more in ((), ("--packs", store))]
        assert [one["leaked"]["hits"] for one in found] == [1, 0]

    ok("packs", "add", store, bundle("2"))
    assert ok("packs", "enforce", store, "gift_card", "--percent", "25").out == (
        "gift_card 1: enforced\ngift_card 2: enforced for 25 %, on trial beside it\n"
    )
    ok("packs", "enforce", store, "gift_card")
    assert "gift_card 2  enforced" in ok("packs", "list", store).out

    assert ok("packs", "rollback", store, "gift_card").out.startswith("gift_card 1: enforced\n")
    ok("packs", "rollback", store, "gift_card")
    ok("packs", "rollback", store, "gift_card")
    ok("packs", "shadow", store, "gift_card")
    ok("scan", "shop.guard", HARM, "--packs", store)
    ok("packs", "remove", store, "gift_card")
    listed = guardkit("packs", "list", store)
    assert listed.code == 5
    assert "only a version after 2" in listed.out
    assert "shadow" not in ok("scan", "shop.guard", HARM, "--packs", store).out


def snapshot(folder: str) -> dict[str, bytes]:
    return {
        path.as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


def test_add_refuses_and_changes_nothing(place: Path) -> None:
    store = deployed()
    before = snapshot(store)
    ok("packs", "add", store, bundle("2"), "--dry-run")
    assert snapshot(store) == before
    old = bundle("1", "--issued", "2020-01-01", "--expires", "2020-02-01")
    stranger = bundle("3")
    ok("sign", "--new-key", "other.key")
    ok("build", "gift_card", "--days", "9", "--force")
    ok("sign", stranger, "--key", "other.key")
    Path("noise.gkb").write_text("noise")
    for name, code, says in (
        (old, 1, "past its date"),
        (stranger, 1, "no key that signed it is trusted"),
        (bundle("0.9"), 1, "only a newer one can follow"),
        ("noise.gkb", 1, "no bundle"),
        ("nowhere.gkb", 2, "no such file"),
    ):
        done = guardkit("packs", "add", store, name)
        assert (done.code, done.out) == (code, ""), (name, done)
        assert says in done.err
        assert snapshot(store) == before
    Path("broken.guard").write_text(POLICY.replace("when order_number", "when odor_number"))
    for policy in ("broken.guard", "gift_card/gift_card.guard", "nowhere.guard"):
        done = guardkit("packs", "add", store, bundle("4"), "--policy", policy)
        assert (done.code, done.out) == (2, "")
        assert snapshot(store) == before
    Path("taken.guard").write_text(POLICY.replace("order_number", "gift_card"))
    done = guardkit("packs", "add", store, bundle("4"), "--policy", "taken.guard")
    assert done.code == 1
    assert "packs:gift_card" in done.err
    assert snapshot(store) == before


def test_what_the_verbs_say_with_packs(place: Path) -> None:
    store = deployed()
    with_packs = ("shop.guard", "--packs", store)
    assert "2 in shadow" in ok("check", "--strict", *with_packs).err
    assert "1 passed" in ok("test", *with_packs).err
    assert "gift_card.wave" in ok("graph", *with_packs).out
    assert "gift_card.codes" in ok("cost", *with_packs).out
    ok("packs", "enforce", store, "gift_card", "--percent", "30")
    assert "for 30% of sessions" in ok("graph", *with_packs).out
    told = guardkit("explain", "shop.guard", HARM, "--packs", store)
    assert told.code == 0
    assert "rule gift_card.wave" in told.out


def test_a_replay_counts_what_would_change(place: Path) -> None:
    store = deployed()
    rows = [HARM, BENIGN, "SH-2026-123456", HARM + " Now."]
    Path("traffic.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    same = ("diff", "shop.guard", "shop.guard", "--packs", store, "--data", "traffic.jsonl")
    done = guardkit(*same, "--format", "json")
    assert done.code == 0, done
    replay = json.loads(done.out)["replay"]
    assert (replay["texts"], replay["same"], replay["weaker"]) == (4, 2, 0)
    assert "gift_card.wave" in done.out
    assert HARM not in done.out
    ok("packs", "enforce", store, "gift_card")
    assert json.loads(guardkit(*same, "--format", "json").out)["replay"]["same"] == 4
    # A newer version takes the name of the one it would follow.
    ok("packs", "add", store, bundle("2"))
    done = guardkit(*same, "--format", "json")
    assert json.loads(done.out)["replay"]["same"] == 4
    assert done.code == 0


def test_a_store_that_cannot_be_used_stops_every_verb(place: Path) -> None:
    store = deployed()
    (name,) = Path(store, "bundles").iterdir()
    name.write_bytes(name.read_bytes()[:-9])
    for verb in (
        ("check", "shop.guard"),
        ("test", "shop.guard"),
        ("scan", "shop.guard", HARM),
        ("explain", "shop.guard", HARM),
        ("graph", "shop.guard"),
        ("cost", "shop.guard"),
        ("diff", "shop.guard", "shop.guard"),
    ):
        done = guardkit(*verb, "--packs", store)
        assert (done.code, done.out) == (2, ""), (verb, done)
        assert "not the file that was installed" in done.err
    listed = guardkit("packs", "list", store)
    assert listed.code == 1
    assert "wrong" in listed.out
    Path(store, "state.json").write_text("{}")
    for change in (
        ("list", store),
        ("enforce", store, "gift_card"),
        ("remove", store, "gift_card"),
        ("rollback", store, "gift_card"),
        ("shadow", store, "gift_card"),
        ("add", store, "gift_card-1.gkb"),
    ):
        done = guardkit("packs", *change)
        assert done.code == 2
        assert "state.json" in done.err
    assert guardkit("packs", "list", "nowhere").code == 2


@pytest.mark.parametrize("percent", ["0", "-1", "101", "nan", "inf", "0.001"])
def test_a_share_that_is_none(place: Path, percent: str) -> None:
    done = guardkit("packs", "enforce", deployed(), "gift_card", "--percent", percent)
    assert done.code == 2
    assert done.out == ""


def test_lists_are_data(place: Path) -> None:
    store = deployed()
    ok("packs", "enforce", store, "gift_card", "--percent", "12.5")
    data = json.loads(ok("packs", "list", store, "--format", "json").out)
    (pack,) = data["packs"]
    assert pack["installed"] | {"title": ""} == {
        "version": "1",
        "mode": "enforce",
        "percent": 12.5,
        "usable": True,
        "title": "",
        "issued": date.today().isoformat(),
        "expires": (date.today() + timedelta(days=90)).isoformat(),
        "days_left": 90,
        "rules": ["wave", "drafted"],
    }
    assert len(data["trusted"]) == 1


def test_colours_and_narrow_terminals_spoil_nothing(place: Path) -> None:
    store = deployed()
    plain = ok("packs", "list", store).out
    painted = guardkit("packs", "list", store, FORCE_COLOR="1").out
    assert "\x1b[" in painted
    assert "\x1b[" not in plain
    narrow = guardkit("inspect", "gift_card-1.gkb", COLUMNS="40").out.splitlines()
    assert all(len(line) <= 40 for line in narrow if "sha256" not in line and "ed25519" not in line)


def test_what_signs_is_not_loaded_by_verbs_that_need_none(place: Path) -> None:
    program = "import sys; from guardkit.cli._main import run; run({}); print(*sys.modules)"
    name = bundle()
    for arguments, loads in ((["check", "shop.guard"], False), (["inspect", name], True)):
        done = subprocess.run(
            [sys.executable, "-c", program.format(arguments)],
            env=plain(),
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = done.stdout.splitlines()[-1].split()
        assert ("cryptography" in loaded) is loads
        assert ("guardkit.packs" in loaded) is loads


def test_a_real_process_ends_with_the_code(place: Path) -> None:
    name = bundle()
    done = process("verify", name, "--trust", "team.key.pub", cwd=place)
    assert done.code == 0
    assert done.out.startswith("trusted")
    assert process("packs", "list", "nowhere", cwd=place).code == 2


def test_dates_past_the_last_day_there_is(place: Path) -> None:
    done = guardkit("build", "gift_card", "--issued", "9999-12-31", "--days", "90")
    assert (done.code, done.out) == (2, "")
    assert "last day there is" in done.err
    text = POLICY.replace("policy shop", "policy gift")
    (place / "gift").mkdir()
    (place / "gift" / "gift.guard").write_text(text)
    ok("build", "gift")
    ok("sign", "gift-1.gkb", "--key", "team.key")
    ok("verify", "gift-1.gkb", "--trust", "team.key.pub", "--at", "9999-12-31")


def test_a_bundle_of_the_past_is_said_to_be_one(place: Path) -> None:
    done = ok("build", "gift_card", "--issued", "2020-01-01", "--days", "90")
    assert "2020-01-01 to 2020-03-31, past its date" in done.err


def test_a_file_of_a_bundle_with_a_false_signature_says_so_too(place: Path) -> None:
    ok("build", "gift_card", "--days", "90")
    ok("sign", "gift_card-1.gkb", "--key", "team.key")
    data = json.loads(Path("gift_card-1.gkb").read_text())
    data["manifest"]["title"] = "Another"
    Path("gift_card-1.gkb").write_text(json.dumps(data, sort_keys=True, indent=1) + "\n")
    assert guardkit("inspect", "gift_card-1.gkb").code == 1
    assert guardkit("inspect", "gift_card-1.gkb", "--show", "phrases.txt").code == 1


def test_a_key_has_both_halves_or_none(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_new = _sign.write_new

    def full(path: Path, content: bytes, **mode: int) -> None:
        if path.suffix == ".pub":
            raise OSError(28, "No space left on device")
        write_new(path, content, **mode)

    monkeypatch.setattr(_sign, "write_new", full)
    done = guardkit("sign", "--new-key", "other")
    assert done.code == 2
    assert "`other.pub` cannot be written" in done.err
    assert not list(place.glob("other*"))


def test_inspect_tells_tier_from_severity_whatever_comes_first(place: Path) -> None:
    source = place / "gift_card" / "gift_card.guard"
    text = source.read_text()
    turned = text.replace("tier     safety    severity high", "severity high  tier safety")
    assert turned != text
    source.write_text(turned)
    ok("build", "gift_card", "--days", "90")
    rules = json.loads(ok("inspect", "gift_card-1.gkb", "--format", "json").out)["rules"]
    assert [rule["tier"] for rule in rules] == ["safety", "guidelines"]
    assert "(safety, high)" in ok("inspect", "gift_card-1.gkb").out
