"""Real policies measured for a moment: what is counted, judged, tidied up, and never told."""

from __future__ import annotations

import json
import time
from functools import cache, partial
from typing import Any

import pytest

from guardkit.bench import Report, SurfaceSeen, measure
from guardkit.errors import UsageError
from guardkit.types import Surface

from ._policies import SESSION, SLOW, WORDS, bind, guard


def brief(text: str, given: dict[str, object] | None = None, **options: Any) -> Report:
    """A policy measured for a moment."""
    given = given or {}
    options = {"seconds": 0.25, "sizes": (60, 200), "bind": partial(bind, **given), **options}
    return measure(guard(text, **given), **options)


@cache
def words() -> Report:
    return brief(WORDS, seconds=1.5)


def of(report: Report, surface: Surface) -> SurfaceSeen:
    return next(one for one in report.surfaces if one.surface == surface)


def test_every_surface_with_rules_is_measured_with_every_group() -> None:
    assert [one.surface for one in words().surfaces] == ["input", "output"]
    for surface in words().surfaces:
        assert [g.name for g in surface.groups] == ["prose, 60", "prose, 200", "near hits, 200"]
        for group in surface.groups:
            assert group.spread.calls == sum(group.bins) == sum(group.actions.values()) >= 9
            assert 0 < group.spread.p50.us <= group.spread.p95.us <= group.spread.p99.us
            assert group.spread.p99.us <= group.spread.most
            assert len(group.spread.p50.rounds) == 3
        assert surface.first_us > 0
        made = surface.allocated
        assert made.peak_bytes >= made.verdict_bytes > 0
        assert made.verdict_blocks > 0
        assert made.left_blocks < 3  # nothing of a call stays with a policy of patterns
        assert list(surface.bounds) == sorted(surface.bounds)


def test_the_parts_of_a_call_are_all_of_it() -> None:
    parts = of(words(), "input").parts
    assert [part.name for part in parts] == ["scan for 1 check", "long", "the rest"]
    shares = [part.share for part in parts if part.share is not None]
    assert sum(shares) == pytest.approx(1.0)
    assert all(share >= 0 for share in shares)
    asked = {part.name: part.asked for part in parts}
    assert asked["long"] == 1.0
    assert asked["the rest"] is None


def test_checks_in_the_scan_and_rules_are_measured_alone_too() -> None:
    surface = of(brief(WORDS, on=("output",), seconds=2.0), "output")
    assert surface.parts[0].name == "scan for 2 checks"
    alone = {part.name: part for part in surface.parts if part.is_scanned}
    assert all(p.share is None and p.alone is not None and p.kind for p in alone.values())
    rules = {rule.name for rule in surface.rules}
    assert set(alone) <= {"greeting", "farewell"}
    assert rules <= {"no_greeting", "no_farewell"}
    # What there was no time for is counted: a machine may be very busy.
    assert len(alone) + len(rules) + surface.left_out == 4


def test_many_calls_at_once() -> None:
    levels = of(words(), "input").at_once
    assert [one.at_once for one in levels] == [1, 8, 64]
    for one in levels:
        assert one.spread.calls > 0
        assert one.per_s > 0
    # Whoever waits for 63 others waits longer.
    assert levels[2].spread.p50.us > levels[0].spread.p50.us


def test_what_stays_after_a_call_is_counted() -> None:
    kept: list[object] = []

    def leaking(text: str) -> bool:
        kept.extend([1, at] for at in range(50))
        return False

    report = brief(SLOW.replace("BUDGET", "1s"), {"slow": leaking}, sizes=(60,), bind=None)
    assert report.surfaces[0].allocated.left_blocks >= 50
    assert report.surfaces[0].allocated.verdict_blocks >= 50


def test_so_many_at_once_as_asked_for() -> None:
    (surface,) = brief(WORDS, on=("input",), at_once=(3, 2, 3), bind=None).surfaces
    assert [one.at_once for one in surface.at_once] == [2, 3]
    assert surface.not_at_once == ()


def test_levels_without_time_are_told() -> None:
    given = {"slow": sleeping(0.02)}
    (surface,) = brief(SLOW.replace("BUDGET", "2s"), given, sizes=(60,), bind=None).surfaces
    assert [one.at_once for one in surface.at_once] == [1]
    assert surface.not_at_once == (8, 64)


def test_an_exchange_is_all_layers_added_up() -> None:
    found = words().exchange
    assert [name for name, _ in found.layers] == ["input", "output"]
    assert found.us == pytest.approx(sum(us for _, us in found.layers))
    assert found.layers[0][1] == of(words(), "input").usual.spread.p50.us
    assert found.texts == "prose, 200"
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.us <= found.high
    assert words().as_json()["exchange"]["layers"] == {
        name: round(us, 3) for name, us in found.layers
    }


def test_streams_are_for_output() -> None:
    assert of(words(), "input").stream is None
    stream = of(words(), "output").stream
    assert stream is not None
    assert stream.streams >= 6
    assert stream.feed.calls == stream.tokens > 10 * stream.streams
    assert stream.finish.calls == stream.streams
    assert stream.passed > 0
    assert stream.held_mean is not None
    assert stream.held_most is not None
    assert 0 < stream.held_mean <= stream.held_most <= 200


def test_budgets_that_are_kept() -> None:
    for surface in words().surfaces:
        assert surface.budget is not None
        assert not surface.budget.is_over
        assert surface.budget.rounds == 3
    assert words().over == ()
    assert words().unjudged == ()
    held = of(words(), "output").budget
    assert held is not None
    assert held.per_chunk
    assert held.by in ("stream, a token", "stream, its end")


def test_a_budget_that_is_not_kept() -> None:
    tight = WORDS.replace("input  1s", "input  1ms")
    report = brief(tight, on=("input",), sizes=(20_000,), bind=None)
    held = report.surfaces[0].budget
    assert held is not None
    assert held.is_over
    assert held.us > held.limit_us == 1_000
    assert report.over == ("input",)


@pytest.mark.parametrize("quantile", ["p50", "p95", "p99"])
def test_the_quantile_that_is_judged_is_chosen(quantile: Any) -> None:
    report = brief(WORDS, quantile=quantile, on=("input",), bind=None)
    held = report.surfaces[0].budget
    assert held is not None
    assert held.quantile == quantile
    group = next(g for g in report.surfaces[0].groups if g.name == held.by)
    assert held.us == group.spread.at(quantile).us


def sleeping(seconds: float) -> Any:
    def slow(text: str) -> bool:
        time.sleep(seconds)
        return False

    return slow


def test_a_check_that_sleeps_takes_as_long_as_it_sleeps() -> None:
    given = {"slow": sleeping(0.008)}
    report = brief(SLOW.replace("BUDGET", "1s"), given, sizes=(60,), rounds=2)
    surface = report.surfaces[0]
    assert all(group.spread.p50.us >= 8_000 for group in surface.groups)
    assert report.over == report.unjudged == ()
    assert surface.dear == ("slow",)
    assert surface.spared.hits == 0
    (slow, rest) = surface.parts
    assert slow.asked == 1.0
    assert slow.share is not None
    assert slow.share > 0.5
    assert slow.alone is not None
    assert slow.alone.p50.us >= 8_000
    assert rest.name == "the rest"


def test_processor_time_leaves_out_what_is_waited_for() -> None:
    given = {"slow": sleeping(0.02)}
    report = brief(SLOW.replace("BUDGET", "1s"), given, sizes=(60,), rounds=2, clock="cpu")
    assert report.clock == "cpu"
    assert all(group.spread.p50.us < 15_000 for group in report.surfaces[0].groups)
    assert sum(part.share or 0 for part in report.surfaces[0].parts) == pytest.approx(1.0)


def test_a_check_that_cannot_keep_the_budget_is_never_fine() -> None:
    # It is cut off, fails too often, and is not asked any more: then calls are fast.
    given = {"slow": sleeping(0.03)}
    report = brief(SLOW.replace("BUDGET", "5ms"), given, sizes=(60,))
    assert report.over or report.unjudged
    (surface,) = report.surfaces
    assert surface.undecided.value == 1.0
    assert all(part.alone is None for part in surface.parts)
    assert surface.rules == ()
    assert surface.left_out == 2


def test_sessions_and_held_texts_are_tidied_up() -> None:
    judged = guard(SESSION)
    own: dict[Surface, list[str]] = {
        "input": ["fine", "a badword"],
        "output": ["fine", "badword"],
        "tool_call": ['{"to": "you"}', '{"to": "badword"}'],
    }
    report = measure(judged, texts=own, seconds=0.3, bind=bind)
    actions = {one.surface: set(one.groups[0].actions) for one in report.surfaces}
    assert actions["input"] == {"pass", "block"}
    assert actions["output"] == {"pass", "hold"}
    assert actions["tool_call"] == {"pass", "block"}
    assert any("session of its own" in note for note in report.notes)
    # What was held was denied: the queue takes as many again.
    assert judged.check("badword", on="output", session="s").action == "hold"
    assert judged.check("fine", on="input", session="bench 1").action == "pass"


def test_own_texts_for_a_surface_without_rules_are_mentioned() -> None:
    own: dict[Surface, list[str]] = {"input": ["one"], "retrieved": ["two", "three"]}
    report = brief(WORDS, texts=own, bind=None)
    assert [one.surface for one in report.surfaces] == ["input"]
    assert "2 texts are for `retrieved`, which is not measured" in report.notes
    assert report.texts.startswith("one own text;")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"on": ("retrieved",)}, "no rule judges `retrieved`; rules judge `input`, `output`"),
        ({"texts": {"retrieved": ["x"]}}, "no text for any surface"),
    ],
)
def test_what_cannot_be_measured(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        brief(WORDS, **options)


def test_no_text_is_in_a_report() -> None:
    secret = "xyzzy-plugh-4711"
    report = brief(WORDS, texts={"input": [f"hello {secret}", secret]})
    assert secret not in repr(report)
    assert secret not in json.dumps(report.as_json())


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[tuple[str, float]] = []
    brief(WORDS, seconds=0.2, told=lambda what, part: told.append((what, part)))
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0.0, 1.0)
    assert all(what for what, _ in told)


def test_the_time_is_kept() -> None:
    judged = guard(WORDS)
    begun = time.perf_counter()
    measure(judged, seconds=1.0, bind=bind)
    # Reading the machine, making texts and the least number of calls come on top.
    assert time.perf_counter() - begun < 8.0
