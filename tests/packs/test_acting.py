"""Packs in a guard: shadow changes nothing, a share is stable and grows, a roll back restores."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import guardkit
from guardkit import packs
from guardkit.diagnostics import Source
from guardkit.errors import BindError, PolicyError
from guardkit.guard import CATALOG, Guard, compile_text, installed, loads, plan_of
from guardkit.plan import Plan, from_json, to_json
from guardkit.runtime import Event
from guardkit.runtime._shares import lot_of  # the numbers themselves are promised
from guardkit.semantics import CheckedPolicy, NoLibrary, check, compare

from ._kit import (
    BENIGN,
    EXPIRES,
    HARM,
    MEANS,
    POLICY,
    TODAY,
    built,
    example,
    pem,
    signed_bytes,
    store,
)

TURNIP = "take the golden turnip now"


def today() -> date:
    return TODAY


def guard_of(made: packs.Store, policy: str = POLICY) -> Guard:
    return loads(policy, packs=made.folder, today=today)


def with_pack(place: Path, **changes: str) -> packs.Store:
    made = store(place / "store")
    made.add(signed_bytes(built(place / "pack", **changes)), MEANS, today=TODAY)
    return made


def test_from_harm_to_harm(tmp_path: Path) -> None:
    """The whole way: passed before, listed in shadow, blocked in force, passed when rolled back."""
    bare = loads(POLICY)
    assert bare.check(HARM).action == "pass"

    made = store(tmp_path)
    made.add(example(), MEANS, today=TODAY)
    shadow = guard_of(made).check(HARM)
    assert (shadow.action, shadow.fired, shadow.shadow) == ("pass", (), ("gift_card.wave",))
    assert shadow.text == HARM

    made.enforce("gift_card", today=TODAY)
    guard = guard_of(made)
    blocked = guard.check(HARM)
    assert (blocked.action, blocked.fired) == ("block", ("gift_card.wave",))
    assert blocked.message is not None
    assert blocked.message.startswith("This looks like the gift card fraud")
    assert guard.check(BENIGN).action == "pass"
    assert guard.check("Order SH-2026-123456").text == "Order [ORDER]"
    assert guard.principle("gift_card.no_codes").startswith("Never help")
    answer = "Please send me the codes of the gift cards."
    assert guard.check(answer, on="output").principle == "gift_card.no_codes"

    made.rollback("gift_card", today=TODAY)
    again = guard_of(made).check(HARM)
    assert (again.action, again.shadow, again.policy) == ("pass", shadow.shadow, shadow.policy)
    made.rollback("gift_card", today=TODAY)
    gone = guard_of(made).check(HARM)
    assert (gone.action, gone.shadow, gone.policy) == ("pass", (), bare.check(HARM).policy)


def test_a_policy_file_and_a_shipped_name_take_packs(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    made.add(example(), MEANS, today=TODAY)
    made.enforce("gift_card", today=TODAY)
    (tmp_path / "shop.guard").write_text(POLICY)
    for policy in (tmp_path / "shop.guard", "starter"):
        guard = guardkit.load(policy, packs=str(made.folder), today=today)
        assert guard.check(HARM).fired == ("gift_card.wave",)


def test_what_cannot_be_used_stops_the_load(tmp_path: Path) -> None:
    made = store(tmp_path)
    made.add(example(), MEANS, today=TODAY)
    late = EXPIRES + timedelta(days=1)
    with pytest.raises(BindError) as caught:
        loads(POLICY, packs=made.folder, today=lambda: late)
    assert "gift_card 1 is refused: it is past its date, 2027-02-01" in str(caught.value)
    assert f"guardkit packs remove {made.folder} gift_card" in str(caught.value)
    with pytest.raises(BindError, match="no pack store"):
        loads(POLICY, packs=tmp_path / "none")


# --- shadow

WORDS = [
    "golden turnip", "golden", "turnip", "SH-2026-123456", "SH-2026-", "g o l d e n", "gоlden",
    "take", "ZwBvAGwA", "Z29sZGVuIHR1cm5pcA==", "\u200b", "now", ".", "  ", "\n", "buy gift cards",
    "send the codes", "ключ", "🙂",
]  # fmt: skip


def texts(count: int) -> Iterator[str]:
    chance = random.Random(77)
    for _ in range(count):
        yield " ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, 9)))


ACTIONS = [
    'block "No turnips."',
    'rewrite matches as "[{label}]"',
    "flag",
    'hold for "people" within 5m else block',
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.split()[0])
def test_a_pack_in_shadow_never_changes_a_verdict(tmp_path: Path, action: str) -> None:
    bare, shadow = loads(POLICY), guard_of(with_pack(tmp_path, action=action))
    seen = 0
    for text in texts(200):
        for on in ("input", "output"):
            without, with_it = bare.check(text, on=on), shadow.check(text, on=on)  # type: ignore[arg-type]
            seen += bool(with_it.shadow)
            assert with_it._replace(
                policy=without.policy,
                elapsed_us=without.elapsed_us,
                shadow=(),
                records=without.records,
            ) == without._replace(shadow=())
        assert streamed(shadow, text, 3) == streamed(bare, text, 3)
    assert seen > 50


def streamed(guard: Guard, text: str, size: int, session: str | None = None) -> tuple[str, str]:
    stream = guard.stream(session=session)
    shown = "".join(stream.feed(text[i : i + size]) for i in range(0, len(text), size))
    shown += stream.finish()
    assert stream.verdict is not None
    return shown, stream.verdict.action


# --- a share of the sessions

SESSIONS = [f"session-{n}" for n in range(400)]


def caught(guard: Guard, text: str = TURNIP, tenant: str = "") -> set[str]:
    """The sessions in which the pack acts."""
    verdicts = {s: guard.check(text, session=s, tenant=tenant) for s in SESSIONS}
    for verdict in verdicts.values():
        assert (verdict.action, verdict.fired, verdict.shadow) in (
            ("block", ("scam.stop",), ()),
            ("pass", (), ("scam.stop",)),
        )
    return {s for s, verdict in verdicts.items() if verdict.action == "block"}


def test_a_share_is_stable_and_only_grows(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    lots = {s: lot_of("scam", Event("input", session=s)) for s in SESSIONS}
    sets = []
    for percent in (0.5, 10, 12.34, 50, 99.9, 100):
        made.enforce("scam", percent=percent, today=TODAY)
        sets.append(caught(guard_of(made)))
        assert sets[-1] == {s for s, lot in lots.items() if lot < round(percent * 100)}
    for smaller, larger in pairwise(sets):
        assert smaller <= larger
    assert sets[-1] == set(SESSIONS)


def test_the_lots_are_fair() -> None:
    """Each tenth of the lots gets its tenth of the sessions, within five standard deviations."""
    count = 20_000
    tenths = Counter(lot_of("m", Event("input", session=f"{n}")) // 1_000 for n in range(count))
    assert sorted(tenths) == list(range(10))
    assert all(abs(found - count / 10) < 5 * (count * 0.09) ** 0.5 for found in tenths.values())


def test_the_lots_are_the_same_everywhere_and_always() -> None:
    """Numbers that may never change: a restart or an update would shift the sessions."""
    assert lot_of("scam", Event("input", "x", session="a")) == 1943
    assert lot_of("scam", Event("input", "another text", session="a")) == 1943
    assert lot_of("scam", Event("input", "x", session="a", tenant="t")) == 530
    assert lot_of("other", Event("input", "x", session="a")) == 8433
    assert lot_of("scam", Event("input", "x")) == 9949


def test_tenants_and_packs_fall_apart_and_rules_of_a_pack_together(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    made.enforce("scam", percent=50, today=TODAY)
    guard = guard_of(made)
    one, other = caught(guard), caught(guard, tenant="other")
    assert 140 < len(one ^ other) < 260
    made.add(example(), MEANS, today=TODAY)
    made.enforce("gift_card", percent=50, today=TODAY)
    guard = guard_of(made)
    answer = "Please send me the codes of the gift cards."
    gift = {s for s in SESSIONS if guard.check(HARM, session=s).action == "block"}
    assert gift == {s for s in SESSIONS if guard.check(answer, on="output", session=s).fired}
    assert 140 < len(gift ^ one) < 260


def test_a_text_without_a_session_falls_by_itself(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    made.enforce("scam", percent=30, today=TODAY)
    one, other = guard_of(made), guard_of(made)
    many = [f"{TURNIP} {n}" for n in range(400)]
    found = [text for text in many if one.check(text).action == "block"]
    assert found == [text for text in many if other.check(text).action == "block"]
    assert 75 < len(found) < 165


def test_a_tool_call_without_a_session_falls_by_its_arguments(tmp_path: Path) -> None:
    made = store(tmp_path / "store")
    place = tmp_path / "pack"
    built(place)
    text = (place / "scam.guard").read_text().replace("input, output", "input, tool_call")
    (place / "scam.guard").write_text(text)
    bundle = packs.build(place, MEANS, issued=TODAY, expires=EXPIRES)
    made.add(signed_bytes(bundle), MEANS, today=TODAY)
    made.enforce("scam", percent=50, today=TODAY)
    guard = guard_of(made)
    calls = [{"body": TURNIP, "n": n} for n in range(400)]
    found = [guard.check_tool_call("send", call).action for call in calls]
    assert found == [guard.check_tool_call("send", call).action for call in calls]
    assert 140 < found.count("block") < 260


def test_a_stream_falls_one_way_from_its_first_piece_to_its_last(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    made.enforce("scam", percent=50, today=TODAY)
    guard = guard_of(made)
    text = f"{'Once upon a time. ' * 12}{TURNIP}{' And so on.' * 12}"
    for session in SESSIONS[:30]:
        verdict = guard.check(text, on="output", session=session)
        for size in (1, 50):
            shown, action = streamed(guard, text, size, session)
            assert action == verdict.action
            assert (shown == text) is (action == "pass")
            assert "golden turnip" not in shown or action == "pass"
    ways = [streamed(guard, text, size) for size in (1, 7, 50) for _ in range(40)]
    assert len(set(ways)) == 2
    assert 30 < sum(action == "block" for _, action in ways) < 90


def test_a_rule_that_is_left_out_stops_no_rewriting_either(tmp_path: Path) -> None:
    """Taking an order number out joins its neighbours to what only the pack objects to."""
    policy = POLICY.replace('as "[{label}]"', 'as ""')
    text = "take the golden SH-2026-123456turnip now".replace("6turnip", "6 turnip")
    made = with_pack(tmp_path, phrase="golden  turnip")
    assert guard_of(made, policy).check(text).action == "rewrite"
    made.enforce("scam", percent=50, today=TODAY)
    guard = guard_of(made, policy)
    actions = {s: guard.check(text, session=s).action for s in SESSIONS[:200]}
    joined = {s: guard.check("the golden  turnip", session=s).action for s in SESSIONS[:200]}
    for session, action in actions.items():
        assert action == {"block": "block", "pass": "rewrite"}[joined[session]]
    assert set(actions.values()) == {"block", "rewrite"}


# --- the plan


def plan_with(made: packs.Store) -> Plan:
    checked = compile_text(POLICY, packs=installed(made.folder, TODAY))
    assert checked.policy is not None, checked.diagnostics
    return plan_of(checked.policy)


def test_the_plan_and_its_digest_say_what_acts(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    digests = {plan_of(_policy(POLICY)).digest}
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: made.enforce("scam", percent=25, today=TODAY),
        lambda: made.enforce("scam", percent=26, today=TODAY),
        lambda: made.enforce("scam", today=TODAY),
    ]
    for change in changes:
        change()
        plan = plan_with(made)
        digests.add(plan.digest)
        assert from_json(to_json(plan)) == plan
        assert ('"share"' in to_json(plan)) is (plan.rule("scam.stop").share < 100)
    assert len(digests) == 5
    text = to_json(plan)
    for share in ("100.0", "0.0", "-1.0", "101.0", "50", '"50"'):
        damaged = text.replace('"severity": "medium"', f'"severity": "medium", "share": {share}')
        with pytest.raises(PolicyError):
            from_json(damaged)


def _policy(text: str) -> CheckedPolicy:
    checked = compile_text(text)
    assert checked.policy is not None
    return checked.policy


def test_nothing_is_found_against_a_policy_with_a_pack(tmp_path: Path) -> None:
    tested = POLICY + (
        '\ntest "an order" {\n  input "SH-2026-123456"\n  expect rewrite by no_orders\n}\n'
    )
    assert compile_text(tested).diagnostics == ()
    made = store(tmp_path)
    made.add(example(), MEANS, today=TODAY)
    for percent in (None, 10, 100):
        if percent:
            made.enforce("gift_card", percent=percent, today=TODAY)
        assert compile_text(tested, packs=installed(made.folder, TODAY)).diagnostics == ()


def test_a_mistake_between_both_is_shown_where_the_pack_is_said(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    taken = POLICY.replace("order_number", "scam")
    with pytest.raises(PolicyError) as caught:
        guard_of(made, taken)
    (found,) = [d for d in caught.value.diagnostics if d.is_error]
    assert {found.place.source.path, *(one.place.source.path for one in found.labels)} == {
        "packs:scam",
        "policy.guard",
    }


@pytest.mark.parametrize(
    ("tiers", "says"),
    [
        ("tiers safety > ethics\n", "no tier is called `guidelines`"),
        ("tier safety may flag, rewrite on_error flag\n", "`safety` may not `block`"),
        ("tiers guidelines > safety > ethics > helpfulness\n", ""),
    ],
)
def test_a_pack_has_the_authority_that_the_policy_gives(
    tmp_path: Path, tiers: str, says: str
) -> None:
    made = store(tmp_path)
    made.add(example(), MEANS, today=TODAY)
    made.enforce("gift_card", today=TODAY)
    policy = POLICY.replace("check order", f"{tiers}\ncheck order", 1)
    loads(policy)
    if not says:
        rules = _policy_with(made, policy).rules
        assert rules[0].name == "gift_card.drafted"
        return
    with pytest.raises(PolicyError) as caught:
        guard_of(made, policy)
    assert says in str(caught.value)


def _policy_with(made: packs.Store, policy: str) -> CheckedPolicy:
    checked = compile_text(policy, packs=installed(made.folder, TODAY))
    assert checked.policy is not None, checked.diagnostics
    return checked.policy


def test_a_policy_cannot_name_a_pack_itself(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    for name in ("pack/scam", "pack:scam/scam.guard", "./pack/scam"):
        own = POLICY + f'\nuse "{name}" version "1" as mine\n'
        with pytest.raises(PolicyError):
            guard_of(made, own)


def test_an_overlay_that_cannot_be_read_is_an_error() -> None:
    source = Source("packs:scam", 'guardkit 1\npolicy packs\nuse "pack/scam" version as scam\n')
    checked = check(Source("policy.guard", POLICY), CATALOG, NoLibrary(), overlays=(source,))
    assert checked.policy is None
    assert {d.place.source.path for d in checked.diagnostics if d.is_error} == {"packs:scam"}


def test_a_share_is_said_by_a_deployment_alone(tmp_path: Path) -> None:
    (tmp_path / "own.guard").write_text(
        'guardkit 1\nmodule own\n  version "1"\n\ncheck bad = words { list ["bad word"] }\n\n'
        'rule no_bad {\n  tier safety\n  on input\n  when bad\n  then block "No."\n}\n'
    )
    own = POLICY + '\nuse "./own.guard" version "1" as own\napply own.no_bad (share: 5%)\n'
    with pytest.raises(PolicyError, match="`apply` takes no `share`"):
        loads(own, root=tmp_path)


def test_a_module_takes_no_packs(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    module = 'guardkit 1\nmodule m\n  version "1"\n\ncheck a = words { list ["a b"] }\n'
    checked = compile_text(module, packs=installed(made.folder, TODAY))
    assert checked.policy is not None
    assert checked.policy.rules == ()


def test_lowering_a_share_is_weaker_and_said(tmp_path: Path) -> None:
    made = with_pack(tmp_path)

    def now() -> CheckedPolicy:
        checked = compile_text(POLICY, packs=installed(made.folder, TODAY))
        assert checked.policy is not None
        return checked.policy

    made.enforce("scam", percent=40, today=TODAY)
    forty = now()
    made.enforce("scam", today=TODAY)
    whole = now()
    assert compare(whole, forty).is_weaker
    assert not compare(forty, whole).is_weaker


def test_an_explanation_says_for_how_many(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    made.enforce("scam", percent=40, today=TODAY)
    told = guard_of(made).explain(TURNIP)
    (rule,) = [one for one in told.rules if one.title == "rule scam.stop"]
    assert rule.detail.endswith("block, for 40% of sessions")


def test_an_untrusted_key_later_stops_the_next_load(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    guard_of(made)
    for path in (made.folder / "trusted").iterdir():
        path.write_bytes(pem(9)[1])
    with pytest.raises(BindError, match="no key that signed it is trusted"):
        guard_of(made)


# --- under an overlay


def test_an_overlay_speaks_of_the_rules_of_packs_too(tmp_path: Path) -> None:
    made = with_pack(tmp_path)
    made.enforce("scam", percent=40, today=TODAY)
    path = tmp_path / "north.toml"

    def rule(text: str) -> tuple[str, float]:
        path.write_text(text)
        checked = compile_text(POLICY, packs=installed(made.folder, TODAY), overlay=path)
        assert checked.policy is not None, checked.diagnostics
        acts = checked.policy.rule("scam.stop")
        return acts.mode, acts.share

    allow = '[weaken]\nallow = ["scam.stop"]\n'
    assert rule("[rules]\n") == ("enforce", 40)
    assert rule('[rules]\nscam.stop = "enforce"\n') == ("enforce", 100)
    assert rule('[rules]\nscam.stop = "41%"\n') == ("enforce", 41)
    assert rule('[rules]\nscam.stop = "39%"\n' + allow) == ("enforce", 39)
    assert rule('[rules]\nscam.stop = "shadow"\n' + allow) == ("shadow", 100)
    path.write_text('[rules]\nscam.stop = "39%"\n')
    with pytest.raises(PolicyError, match=r"`scam\.stop` stands in tier `safety`"):
        loads(POLICY, packs=made.folder, today=today, overlay=path)
    with pytest.raises(PolicyError, match=r"no rule of the policy is called `scam\.stop`"):
        loads(POLICY, overlay=path)
