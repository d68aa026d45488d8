"""Overload is shed and not absorbed, nobody is starved, and no cancellation loses a place."""

from __future__ import annotations

import doctest
import gc
import math
import statistics
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

import anyio
import pytest

from guardkit.errors import UsageError
from guardkit.server import _admission as admission_module
from guardkit.server._admission import Admission, Denials, network_of
from guardkit.server._tenant import OPEN, Tenant
from guardkit.wire import Fault

A, B, C = Tenant("a"), Tenant("b"), Tenant("c")
both = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def is_empty(admission: Admission) -> bool:
    """Nobody is in it, nobody waits, and nothing is remembered of anybody."""
    return (admission.inside, admission.queued) == (0, 0) and not (
        admission._inside or admission._queues or admission._under_way
    )


class Crowd:
    """Requests that stay inside until they are let go, and what became of each."""

    def __init__(self, admission: Admission, group: anyio.abc.TaskGroup) -> None:
        self.admission = admission
        self._group = group
        self.order: list[str] = []
        """The names of those that got in, in that order."""
        self.faults: list[Fault] = []
        self._ends: dict[str, anyio.Event] = {}

    async def comes(self, name: str, tenant: Tenant) -> anyio.CancelScope:
        """One more comes, and goes as far as it gets."""
        scope = anyio.CancelScope()
        self._ends[name] = anyio.Event()

        async def go() -> None:
            with scope:
                try:
                    async with self.admission.enter(tenant):
                        self.order.append(name)
                        await self._ends[name].wait()
                except Fault as fault:
                    self.faults.append(fault)

        self._group.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        return scope

    async def come(self, letter: str, number: int, tenant: Tenant) -> None:
        """So many come one after another: `a0`, `a1`, …"""
        for place in range(number):
            await self.comes(f"{letter}{place}", tenant)

    async def go(self, *names: str) -> None:
        """They go one after another, and each makes room."""
        for name in names:
            self._ends[name].set()
            await anyio.wait_all_tasks_blocked()


def crowded(backend: str, admission: Admission, story: Callable[[Crowd], Awaitable[None]]) -> Crowd:
    """Run a story, let everybody go, and see that nothing is left."""
    crowds = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            crowd = Crowd(admission, group)
            crowds.append(crowd)
            await story(crowd)
            while admission.inside or admission.queued:
                await crowd.go(*crowd.order)
        assert is_empty(admission)

    anyio.run(main, backend=backend)
    return crowds[0]


# --- what is admitted, what waits, what is shed


@both
def test_so_many_get_in_so_many_wait_and_the_others_are_shed_at_once(backend: str) -> None:
    admission = Admission(most=2, waiting=3, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.come("r", 7, OPEN)
        assert (admission.inside, admission.queued) == (2, 3)
        assert crowd.order == ["r0", "r1"]
        assert [(fault.status, fault.code) for fault in crowd.faults] == [(503, "overloaded")] * 2
        assert admission.shed == {"overloaded": 2, "patience": 0, "too_many_at_once": 0}
        await crowd.go("r0")
        assert (admission.inside, admission.queued) == (2, 2)

    crowd = crowded(backend, admission, story)
    assert crowd.order == [f"r{number}" for number in range(5)], "first come, first served"
    assert dict(crowd.faults[0].headers) == {"retry-after": "1"}


@both
def test_patience_ends(backend: str) -> None:
    admission = Admission(most=1, waiting=5, patience_s=0.02)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("first", A)
        start = anyio.current_time()
        await crowd.comes("second", B)
        while not crowd.faults:
            await anyio.sleep(0.005)
        assert 0.019 <= anyio.current_time() - start < 2
        assert crowd.faults[0].status == 503
        assert admission.shed == {"overloaded": 0, "patience": 1, "too_many_at_once": 0}
        assert (admission.inside, admission.queued) == (1, 0)

    assert crowded(backend, admission, story).order == ["first"]


@both
def test_a_tenant_over_its_share_is_told_so_while_others_go_on(backend: str) -> None:
    admission = Admission(most=2, waiting=5, patience_s=30)
    small = Tenant("small", at_once=3)

    async def story(crowd: Crowd) -> None:
        await crowd.come("s", 5, small)
        assert (admission.inside, admission.queued) == (2, 1), "what waits counts as under way"
        assert [(fault.status, fault.code) for fault in crowd.faults] == [
            (429, "too_many_at_once")
        ] * 2
        assert all(dict(fault.headers)["retry-after"] == "1" for fault in crowd.faults)
        await crowd.comes("other", B)
        assert admission.queued == 2
        await crowd.go("s0")
        await crowd.comes("s5", small)
        assert len(crowd.faults) == 2

    assert crowded(backend, admission, story).order == ["s0", "s1", "other", "s2", "s5"]


def test_without_a_queue_nobody_waits() -> None:
    admission = Admission(most=1, waiting=0, patience_s=0)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("first", A)
        await crowd.comes("second", B)
        assert admission.shed["overloaded"] == 1

    assert crowded("asyncio", admission, story).order == ["first"]


def test_a_free_place_takes_no_turn_of_the_loop() -> None:
    async def inside() -> None:
        async with Admission(1, 0, 0).enter(A):
            pass

    step = inside()
    with pytest.raises(StopIteration):
        step.send(None)


def test_a_fault_of_the_request_itself_gives_its_place_back() -> None:
    admission = Admission(1, 0, 0)

    async def fails() -> None:
        async with admission.enter(A):
            raise Fault(400, "invalid_json", "the body is not JSON")

    for _ in range(3):
        with pytest.raises(Fault, match="invalid_json"):
            anyio.run(fails)
    assert is_empty(admission)
    assert not any(admission.shed.values())


@pytest.mark.parametrize(
    ("most", "waiting", "patience_s"),
    [(0, 1, 1.0), (1, -1, 1.0), (1, 1, -0.1), (1, 1, math.inf), (1, 1, math.nan)],
)
def test_an_admission_that_makes_no_sense_is_refused(
    most: int, waiting: int, patience_s: float
) -> None:
    with pytest.raises(UsageError):
        Admission(most, waiting, patience_s)


# --- fairness between tenants


@both
def test_a_place_goes_to_who_has_the_fewest(backend: str) -> None:
    admission = Admission(most=3, waiting=20, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.come("a", 8, A)
        for number in range(2):
            await crowd.comes(f"b{number}", B)
            await crowd.comes(f"c{number}", C)
        await crowd.go("a0", "a1", "a2", "b0", "c0")

    order = crowded(backend, admission, story).order
    assert order[:8] == ["a0", "a1", "a2", "b0", "c0", "a3", "b1", "c1"]


@both
def test_equals_take_turns(backend: str) -> None:
    admission = Admission(most=1, waiting=20, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("first", C)
        await crowd.come("a", 4, A)
        await crowd.come("b", 2, B)
        await crowd.go("first", "a0", "b0", "a1", "b1", "a2")

    order = crowded(backend, admission, story).order
    assert order == ["first", "a0", "b0", "a1", "b1", "a2", "a3"]


@both
def test_the_last_eighth_is_for_who_has_less_than_its_share(backend: str) -> None:
    admission = Admission(most=16, waiting=20, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.come("a", 18, A)
        assert (admission.inside, admission.queued) == (14, 4)
        await crowd.come("b", 3, B)
        assert (admission.inside, admission.queued) == (16, 5), "and b2 waits"
        await crowd.go("a0", "a1", "a2")
        assert crowd.order[14:] == ["b0", "b1", "b2"], "the kept places are free again first"
        assert (admission.inside, admission.queued) == (14, 4)
        await crowd.go("b0")
        assert crowd.order[17:] == ["a14"]

    crowded(backend, admission, story)


@both
def test_without_keys_nothing_is_kept(backend: str) -> None:
    admission = Admission(most=16, waiting=20, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.come("r", 17, OPEN)
        assert (admission.inside, admission.queued) == (16, 1)

    crowded(backend, admission, story)


@both
def test_whose_share_grows_gets_a_place_that_was_kept(backend: str) -> None:
    admission = Admission(most=16, waiting=20, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("c", C)
        await crowd.come("b", 8, B)
        await crowd.come("a", 7, A)
        assert (admission.inside, admission.queued) == (15, 1), "7 are no less than a third"
        assert crowd.order[-1] == "a5"
        await crowd.go("c")
        assert (admission.inside, admission.queued) == (15, 0), "but less than a half"

    assert crowded(backend, admission, story).order[-1] == "a6"


@both
def test_a_full_queue_makes_room_for_who_has_less(backend: str) -> None:
    admission = Admission(most=2, waiting=3, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.come("a", 5, A)
        assert not crowd.faults
        await crowd.comes("b0", B)
        assert admission.shed["overloaded"] == len(crowd.faults) == 1, "a4 made room"
        await crowd.comes("b1", B)
        assert len(crowd.faults) == 2, "a3, too"
        await crowd.comes("b2", B)
        assert len(crowd.faults) == 3, "b2 itself: `a` has three under way, and so would `b`"
        await crowd.comes("a5", A)
        assert len(crowd.faults) == 4
        assert (admission.inside, admission.queued) == (2, 3)
        await crowd.go("a0", "a1")

    assert crowded(backend, admission, story).order == ["a0", "a1", "b0", "a2", "b1"]


class Load(NamedTuple):
    """What a tenant sends: so many in a second, each of which takes so long."""

    tenant: Tenant
    per_second: float
    shortest_s: float = 0.05
    longest_s: float = 0.15


class Served:
    """What a tenant got: how long each admitted request took, and how many were refused."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.shed = 0

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.took, n=100, method="inclusive")[98]


def simulated(*loads: Load, seconds: float) -> dict[str, Served]:
    """Requests come at random to 32 places: of a tenth of a second each, 320 in a second.

    On trio's clock, which jumps: a minute takes seconds, and no load of the machine shows.
    """
    import trio
    from trio.testing import MockClock

    admission = Admission(most=32, waiting=64, patience_s=0.1)
    served = {load.tenant.name: Served() for load in loads}
    random = Random("load")

    async def one(load: Load, work_s: float) -> None:
        begin = anyio.current_time()
        try:
            async with admission.enter(load.tenant):
                await anyio.sleep(work_s)
            served[load.tenant.name].took.append(anyio.current_time() - begin)
        except Fault:
            served[load.tenant.name].shed += 1

    async def source(load: Load, group: anyio.abc.TaskGroup) -> None:
        begin, at = anyio.current_time(), 0.0
        while (at := at + random.expovariate(load.per_second)) < seconds:
            await anyio.sleep_until(begin + at)
            group.start_soon(one, load, random.uniform(load.shortest_s, load.longest_s))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for load in loads:
                group.start_soon(source, load, group)
        assert is_empty(admission)
        assert sum(admission.shed.values()) == sum(one.shed for one in served.values())

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return served


lengths = pytest.mark.parametrize(
    "seconds", [6, pytest.param(120, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]
)


@lengths
def test_one_tenant_at_twenty_times_the_load_does_not_move_the_other(seconds: float) -> None:
    """F5: its p99 is at most 1.3 times what it is alone, and none of its requests is refused."""
    usual = Load(B, 80)
    alone = simulated(usual, seconds=seconds)["b"]
    beside = simulated(Load(A, 1600), usual, seconds=seconds)
    assert alone.shed == beside["b"].shed == 0
    assert beside["b"].p99 <= 1.3 * alone.p99
    assert beside["a"].shed > 1000 * seconds, "what is too much is refused to whom it belongs"
    assert len(beside["a"].took) >= 0.8 * (320 - 80) * seconds, "most of what is left is its own"


@lengths
def test_one_tenant_with_long_streams_leaves_places_to_others(seconds: float) -> None:
    streams = Load(A, 200, 5.0, 15.0)
    beside = simulated(streams, Load(B, 5), seconds=seconds)
    assert beside["b"].shed == 0
    assert beside["b"].p99 <= 0.15 + 1e-9, "not one in a hundred had to wait"
    assert beside["a"].shed > 100 * seconds
    bounded = streams._replace(tenant=Tenant("a", at_once=8))
    beside = simulated(bounded, Load(B, 80), seconds=seconds)
    assert beside["b"].shed == 0
    assert max(beside["b"].took) <= 0.2, "with a bound on the streams, that is so for any load"


@lengths
def test_ten_times_too_much_is_shed_and_what_gets_in_is_not_slow(seconds: float) -> None:
    """E1: the p99 of what gets in is at most twice the one without load, and no place is empty."""
    calm = simulated(Load(OPEN, 100), seconds=seconds)[""]
    storm = simulated(Load(OPEN, 3200), seconds=seconds)[""]
    assert calm.shed == 0
    assert storm.p99 <= 2.0 * calm.p99
    assert len(storm.took) >= 0.95 * 320 * seconds
    assert storm.shed >= 0.85 * 3200 * seconds


# --- cancellation


@both
def test_cancelled_while_it_waits(backend: str) -> None:
    admission = Admission(most=1, waiting=5, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("first", A)
        scopes = [await crowd.comes(f"w{number}", A) for number in range(3)]
        scopes[1].cancel()
        await anyio.wait_all_tasks_blocked()
        assert (admission.inside, admission.queued) == (1, 2)
        await crowd.go("first")
        assert crowd.order == ["first", "w0"]

    assert crowded(backend, admission, story).order == ["first", "w0", "w2"]
    assert not any(admission.shed.values())


@both
def test_cancelled_in_the_moment_in_which_its_turn_comes(backend: str) -> None:
    admission = Admission(most=1, waiting=5, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("first", A)
        scope = await crowd.comes("second", A)
        await crowd.comes("third", A)
        crowd._ends["first"].set()
        # The turn of the second comes when the first has left, before it is woken.
        while crowd.admission.queued == 2:
            await anyio.lowlevel.checkpoint()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert (admission.inside, admission.queued) == (1, 0)
        assert crowd.order in (["first", "third"], ["first", "second", "third"])

    crowded(backend, admission, story)


@both
def test_pushed_out_and_cancelled_in_the_same_moment(backend: str) -> None:
    admission = Admission(most=1, waiting=1, patience_s=30)

    async def story(crowd: Crowd) -> None:
        await crowd.comes("first", A)
        scope = await crowd.comes("second", A)

        async def push() -> None:
            async with admission.enter(B):
                crowd.order.append("pushed in")

        crowd._group.start_soon(push)
        while "b" not in admission._queues:
            await anyio.lowlevel.checkpoint()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert (admission.inside, admission.queued) == (1, 1)
        await crowd.go("first")

    assert crowded(backend, admission, story).order == ["first", "pushed in"]


@both
@pytest.mark.parametrize(
    "rounds", [60, pytest.param(3_000, marks=[pytest.mark.full, pytest.mark.timeout(1800)])]
)
def test_random_cancelling_leaves_nothing_behind(backend: str, rounds: int) -> None:
    """Cancelled anywhere, with patience that ends anywhere: the counts always fit, and end at 0."""
    random = Random("cancel")
    tenants = [A, B, Tenant("c", at_once=2), Tenant("d")]

    async def one(admission: Admission, tenant: Tenant, turns: int, seen: list[int]) -> None:
        try:
            async with admission.enter(tenant):
                seen[0] += 1
                seen[1] = max(seen[1], seen[0])
                try:
                    for _ in range(turns):
                        await anyio.lowlevel.checkpoint()
                finally:
                    seen[0] -= 1
        except Fault:
            seen[2] += 1

    async def crowd(admission: Admission, seen: list[int]) -> None:
        scopes: list[anyio.CancelScope] = []

        async def cancellable(tenant: Tenant, scope: anyio.CancelScope) -> None:
            with scope:
                await one(admission, tenant, random.randrange(6), seen)

        async with anyio.create_task_group() as group:
            for _ in range(40):
                scopes.append(anyio.CancelScope())
                group.start_soon(cancellable, random.choice(tenants), scopes[-1])
                for _ in range(random.randrange(3)):
                    await anyio.lowlevel.checkpoint()
                if random.random() < 0.4:
                    random.choice(scopes).cancel()
                fits(admission, seen)
            if random.random() < 0.3:
                group.cancel_scope.cancel()

    def fits(admission: Admission, seen: list[int]) -> None:
        queued = {name: len(queue) for name, queue in admission._queues.items()}
        assert seen[0] <= admission.inside <= admission._most
        assert admission.queued == sum(queued.values()) <= admission._waiting
        assert admission.inside == sum(admission._inside.values())
        assert admission._under_way == admission._inside + Counter(queued)
        assert not any(admission._may_have_place(name) for name in queued)

    async def main() -> None:
        for _ in range(rounds):
            most, waiting = random.choice([1, 2, 3, 8, 17]), random.randint(0, 12)
            admission = Admission(most, waiting, random.choice([0, 0.0005, 30]))
            seen = [0, 0, 0]
            await crowd(admission, seen)
            assert is_empty(admission)
            assert seen[1] <= most
            assert sum(admission.shed.values()) == seen[2]

    anyio.run(main, backend=backend)


# --- who is blocked too often


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_who_is_blocked_too_often_waits_for_the_next_minute() -> None:
    clock = Clock()
    denials = Denials(3, clock=clock)
    for _ in range(3):
        denials.note("acme", "192.0.2.7")
        assert denials.over("acme", "192.0.2.7") is None
        clock.now += 10
    denials.note("acme", "192.0.2.7")
    assert denials.over("acme", "192.0.2.7") == 30
    assert denials.over("acme", "192.0.2.8") is None, "nobody else"
    assert denials.over("other", "192.0.2.7") is None, "nor in another tenant"
    clock.now += 29
    denials.note("acme", "192.0.2.7")
    assert denials.over("acme", "192.0.2.7") == 1
    clock.now += 1
    assert denials.over("acme", "192.0.2.7") is None
    denials.note("acme", "192.0.2.7")
    assert denials.over("acme", "192.0.2.7") is None, "a new minute begins with one"


def test_a_budget_of_none_is_over_with_the_first() -> None:
    denials = Denials(0, clock=Clock())
    assert denials.over("", "s") is None
    denials.note("", "s")
    assert denials.over("", "s") == 60
    for per_minute, most in ((-1, 5), (1, 0)):
        with pytest.raises(UsageError):
            Denials(per_minute, most=most)


def test_an_attacker_cannot_move_within_his_own_network() -> None:
    denials = Denials(5, clock=Clock())
    for number in range(6):
        denials.note("", f"2001:db8:1:2::{number:x}")
    assert denials.over("", "2001:db8:1:2:ffff::1") == 60
    assert denials.over("", "2001:db8:1:3::1") is None
    for _ in range(6):
        denials.note("", "192.0.2.7")
    assert denials.over("", "::ffff:192.0.2.7") == 60
    assert network_of("fe80::1%eth0") == "fe80::"
    for word in ("", "192.0.2.7", "a:b:c", "s::1::2", ":" * 1000, "\ud800::"):
        assert network_of(word) == word


def test_what_is_kept_is_bounded_and_a_tenant_drives_out_its_own() -> None:
    clock = Clock()
    denials = Denials(0, most=1000, clock=clock)
    for number in range(20):
        denials.note("small", f"p{number}")
    for number in range(50_000):
        denials.note("large", f"p{number}")
        assert len(denials) <= 1000
    assert all(denials.over("small", f"p{number}") == 60 for number in range(20))
    assert denials.over("large", "p49999") == 60
    assert denials.over("large", "p0") is None, "the oldest were forgotten"
    assert len(denials) > 900


def test_what_is_over_makes_room_first() -> None:
    clock = Clock()
    denials = Denials(0, most=1000, clock=clock)
    for number in range(600):
        denials.note("old", f"p{number}")
    clock.now += 45
    for number in range(400):
        denials.note("new", f"p{number}")
    clock.now += 15
    denials.note("third", "p")
    assert len(denials) == 401
    assert all(denials.over("new", f"p{number}") for number in range(400))


def test_a_thinned_table_goes_on_counting_as_a_plain_model_does() -> None:
    """Against a dictionary that forgets nothing: as long as there is room, both say the same."""
    random = Random("denials")
    clock = Clock()
    denials = Denials(2, clock=clock)
    model: dict[tuple[str, str], tuple[float, int]] = {}
    for _ in range(20_000):
        clock.now += random.choice([0, 0.1, 1, 5])
        who = (random.choice("ab"), random.choice("pqrst"))
        began, blocked = model.get(who, (-math.inf, 0))
        if clock.now - began >= 60:
            began, blocked = clock.now, 0
        if random.random() < 0.3:
            model[who] = (began, blocked + 1)
            denials.note(*who)
            blocked += 1
        wanted = began + 60 - clock.now if blocked > 2 else None
        assert denials.over(*who) == wanted


def test_a_hundred_thousand_principals_take_little_memory() -> None:
    """Abuse case 24: they come for nothing, so they must cost next to nothing."""
    gc.collect()
    tracemalloc.start()
    denials = Denials(5)
    for number in range(120_000):
        denials.note("", f"s-{number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(denials) <= 100_000
    assert kept < 48 << 20


def test_no_principal_is_kept_or_shown() -> None:
    denials = Denials(0, clock=Clock())
    denials.note("acme", "198.51.100.23")
    assert "198.51.100.23" not in repr([repr(denials), denials._tables])
    assert Denials(0)._hashed("p") != Denials(0)._hashed("p"), "each process has a key of its own"


def test_the_examples_run() -> None:
    assert doctest.testmod(admission_module) == (0, 6)
