"""What reading with an ONNX model costs over ONNX Runtime and tokenizers alone: W5 of the targets.

Weights are random: the time does not depend on what they say. Each figure is a ratio to a floor
that is measured in the same run, turn by turn, once by the clock and once by the time that the
processors worked. Where other programs keep the floor from working, the clock says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import anyio
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from tokenizers import Tokenizer

from guardkit.models import opened

from . import encoder, works_models
from .pairs import Measured
from .works_models import run, worded

Kept = Callable[..., Measured]

MOST_OVER_RAW = 1.2
MOST_STALL_S = 0.020
LEAST_OF_ONE = 0.8
"""How many texts a second many at once read, against one after another."""


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return encoder.tokenizer()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def plain(folder: Path, words: Tokenizer) -> bytes:
    return encoder.encoder_onnx(6, words.get_vocab_size())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("weights", ["fp32", "int8"])
@pytest.mark.parametrize("size", [200, 1_000, 4_000])
def test_over_raw(kept: Kept, weights: str, size: int) -> None:
    seen = kept(works_models.w5(weights, size), 3, rounds=1)
    assert min(seen.ratio.value, seen.notes["ratio_of_work"].value) <= MOST_OVER_RAW


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", [60, 200])
def test_crowds(
    benchmark: BenchmarkFixture, folder: Path, plain: bytes, words: Tokenizer, size: int
) -> None:
    models = {
        batch: opened(encoder.encoder_dir(folder / f"batch-{batch}", plain, words, batch=batch),
                      device="cpu")
        for batch in (False, True)
    }  # fmt: skip
    rates: dict[str, float] = {}
    per_work: dict[str, float] = {}

    async def crowd(batch: bool, at_once: int) -> None:
        waiting = worded(max(32, at_once), size, seed=at_once + size)
        found = {}

        async def reader() -> None:
            while waiting:
                text = waiting.pop()
                found[text] = await models[batch].read(text, "input")

        count = len(waiting)
        began, worked = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as group:
            for _ in range(at_once):
                group.start_soon(reader)
        name = f"{at_once} at once{', batches' if batch else ''}"
        rates[name] = round(count / (time.perf_counter() - began), 1)
        per_work[name] = round(count / (time.process_time() - worked), 1)
        assert len(found) == count

    async def main() -> None:
        for at_once in (1, 32, 256):
            for batch in (False, True):
                await crowd(batch, at_once)

    benchmark.pedantic(lambda: run(main), rounds=1, warmup_rounds=0)
    benchmark.extra_info["texts_per_second"] = rates
    benchmark.extra_info["texts_per_second_of_work"] = per_work
    # One of them runs while others take the processors, and another time the other one does.
    shares = [of["256 at once"] / of["1 at once"] for of in (rates, per_work)]
    assert max(shares) > LEAST_OF_ONE


async def stalls(done: anyio.Event) -> list[tuple[float, float]]:
    """By how much each tick of 1 ms is late, and how much this process worked meanwhile."""
    late = []
    while not done.is_set():
        began, worked = time.perf_counter(), time.process_time()
        await anyio.sleep(0.001)
        late.append((time.perf_counter() - began - 0.001, time.process_time() - worked))
    return late


def p99(late: Iterable[float]) -> float:
    found = sorted(late)
    return found[int(len(found) * 0.99)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("layers", [0, 6])
def test_the_loop_stays_free(
    benchmark: BenchmarkFixture, folder: Path, words: Tokenizer, layers: int
) -> None:
    """D6: a ticker beside 50 readings of 64 KB at once; the large model has 5 s for them."""
    model = encoder.encoder_onnx(layers, words.get_vocab_size())
    guarded = opened(encoder.encoder_dir(folder / f"loop-{layers}", model, words), device="cpu")
    found: dict[str, list[tuple[float, float]]] = {}

    async def tick(name: str, work: Callable[[], Awaitable[None]]) -> None:
        done = anyio.Event()

        async def note() -> None:
            found[name] = await stalls(done)

        async with anyio.create_task_group() as group:
            group.start_soon(note)
            await work()
            done.set()

    crowded = worded(50, 64_000)

    async def crowd() -> None:
        with anyio.move_on_after(5):
            async with anyio.create_task_group() as group:
                for text in crowded:
                    group.start_soon(guarded.read, text, "input")

    async def main() -> None:
        await tick("idle", lambda: anyio.sleep(1))
        await tick("busy", crowd)

    benchmark.pedantic(lambda: run(main), rounds=1, warmup_rounds=0)
    for name, late in found.items():
        clock, work = zip(*late, strict=True)
        benchmark.extra_info[name] = {
            "ticks": len(late), "p99_ms": round(1e3 * p99(clock), 2),
            "most_ms": round(1e3 * max(clock), 2), "p99_ms_of_work": round(1e3 * p99(work), 2),
            "most_ms_of_work": round(1e3 * max(work), 2),
        }  # fmt: skip
    # Where other programs take the processors, the clock runs on while nothing of ours does.
    clock, work = zip(*found["busy"], strict=True)
    assert min(p99(clock), p99(work)) <= MOST_STALL_S
