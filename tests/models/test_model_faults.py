"""Models that fail: refused when they are opened, an error when they read, never a score."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import traceback
import weakref
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import anyio
import numpy as np
import pytest
from onnx import helper

from guardkit.errors import BindError, CheckError
from guardkit.models import _device, _onnx
from guardkit.models._pool import Pool

from . import _made as made
from ._nets import (
    BACKENDS,
    FLOAT,
    hanging_dir,
    hanging_onnx,
    opened,
    places_onnx,
    quantised_onnx,
    read,
    run,
)

ROOT = Path(__file__).parents[2]
HEADS = [made.head("h", ["l"])]


def sentence(folder: Path, model: bytes, **more: Any) -> str:
    """What is said when this model is opened."""
    with pytest.raises(BindError) as caught:
        opened(made.model_dir(folder / "refused", model, **more))
    assert len(caught.value.problems) == 1
    return str(caught.value)


# --- when it is opened


def test_a_window_longer_than_the_model_reads_is_refused(tmp_path: Path) -> None:
    said = sentence(tmp_path, places_onnx(12), heads=HEADS)
    assert said == "model `made` cannot be used: the model failed with Fail"
    opened(made.model_dir(tmp_path / "fits", places_onnx(16), heads=HEADS))


def test_a_runtime_that_does_not_know_the_operators_says_so(tmp_path: Path) -> None:
    said = sentence(tmp_path, made.classifier_onnx({}, classes=1, opset=40), heads=HEADS)
    assert "cannot run it" in said


def test_an_output_of_another_shape_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["words", "input_ids"], ["logits"])]
    # Its file claims nothing about the shape, so only a run can tell.
    ports = [helper.make_tensor_value_info("logits", FLOAT, None)]
    model = made.model_bytes(nodes, made._inputs(False), ports, {"words": made.table({}, 3)})
    said = sentence(tmp_path, model, heads=HEADS)
    assert said == "model `made` cannot be used: the model gives too little for its head `h`"
    tokens = {"output": "logits", "labels": ["O", "B-A"]}
    assert "token labels of another shape" in sentence(tmp_path, model, tokens=tokens)
    embedding = {"output": "logits", "dim": 4, "pooling": "mean"}
    assert "an embedding of another shape" in sentence(tmp_path, model, embedding=embedding)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = made.classifier_onnx({}, classes=1, bias=[np.inf])
    assert sentence(tmp_path, model, heads=HEADS).endswith("a number that is not finite")


def test_a_false_claim_about_batches_is_refused(tmp_path: Path) -> None:
    window = {**made.window(), "batch": True}
    said = sentence(tmp_path, quantised_onnx(), heads=HEADS, window=window)
    assert said.endswith("gives other numbers in a batch, and says it does not")


def test_a_model_that_takes_for_ever_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_onnx, "WARM_UP_S", 0.05)
    model = hanging_onnx(word=made.VOCABULARY[-1])
    assert "takes more than 0 s for one window" in sentence(tmp_path, model, heads=HEADS)


# --- devices


def test_a_gpu_that_is_not_there_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_device, "has_gpu", lambda runtime: False)
    folder = made.injection_dir(tmp_path / "m")
    with pytest.raises(BindError, match=r"the device `gpu` is required .* `guardkit\[gpu\]`"):
        opened(folder, device="gpu")
    assert opened(folder, device="auto").device == "cpu"
    with pytest.raises(BindError, match="a device is one of auto, cpu, gpu"):
        opened(folder, device="tpu")


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_runtime_that_falls_back_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "CUDAExecutionProvider" in _device.runtime().get_available_providers():
        pytest.skip("platform: this runtime may have a GPU")
    monkeypatch.setattr(_device, "has_gpu", lambda runtime: True)
    folder = made.injection_dir(tmp_path / "m")
    with pytest.raises(BindError, match="fell back to the CPU"):
        opened(folder, device="gpu")
    assert opened(folder, device="auto").device == "cpu"


def test_what_was_compiled_in_is_not_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = SimpleNamespace(
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
        get_ep_devices=lambda: [SimpleNamespace(ep_name="CPUExecutionProvider")],
    )
    monkeypatch.setattr(_device, "_cuda_devices", lambda: 0)
    assert not _device.has_gpu(claims)
    monkeypatch.setattr(_device, "_cuda_devices", lambda: 1)
    assert _device.has_gpu(claims)
    claims.get_available_providers = lambda: ["CPUExecutionProvider"]
    assert not _device.has_gpu(claims)


def test_the_way_to_a_gpu_and_back_gives_the_same(tmp_path: Path) -> None:
    model = opened(made.injection_dir(tmp_path / "m"))
    rows = [np.array([2, made.ID["ignore"], 3]), np.array([2, 3])]
    feed = model._net._feed(rows, made.PAD, 32)
    assert feed["input_ids"].shape == (2, 32)
    assert model._net._bound(feed, model._net.options())[0].tolist() == [[2.0], [-2.0]]


def test_a_model_on_a_gpu_does_not_survive_a_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(made.injection_dir(tmp_path / "m"))
    model._net.device = "gpu"
    monkeypatch.setattr(model._net, "_owner", -1)
    with pytest.raises(CheckError, match="has to be opened after a fork"):
        read(model, "ignore")


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (None, "this model needs ONNX Runtime: install `guardkit[cpu]` or `guardkit[gpu]`"),
        (SimpleNamespace(), "ONNX Runtime is broken: remove both"),
    ],
)
def test_a_missing_or_broken_runtime_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, says: str
) -> None:
    folder = made.injection_dir(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    with pytest.raises(BindError) as caught:
        opened(folder)
    assert str(caught.value).startswith(says)


def test_nothing_is_printed(tmp_path: Path) -> None:
    program = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from guardkit.errors import BindError, CheckError
        from tests.models._nets import opened, places_onnx, read
        from tests.models import _made as made

        folder = Path({str(tmp_path)!r})
        heads = [made.head("h", ["l"])]
        for device in ("auto", "cpu"):
            read(opened(made.injection_dir(folder / device), device=device), "ignore")
        try:
            opened(made.model_dir(folder / "short", places_onnx(12), heads=heads))
        except BindError:
            print("refused")
    """
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", dedent(program)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ},
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("refused\n", "", 0)


# --- when it reads


@BACKENDS
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", [0, 50, 99])
def test_a_number_that_is_not_finite_is_an_error(
    tmp_path: Path, value: float, place: int, backend: str
) -> None:
    marks = {"broken": [value, 0.0]}
    graph = made.classifier_onnx({"ignore": [4.0, 0.0]}, classes=2, marks=marks)
    heads = [made.head("h", ["l"]), made.head("other", ["l"], at=1)]
    model = opened(made.model_dir(tmp_path / "m", graph, heads=heads))
    words = ["ignore"] * 100
    words[place] = "broken"
    with pytest.raises(CheckError, match=r"^the model gave a number that is not finite$"):
        read(model, " ".join(words), backend=backend)
    assert read(model, "ignore", backend=backend).evidence["h"] == (4.0,)


@BACKENDS
def test_a_run_that_hangs_is_stopped(tmp_path: Path, backend: str) -> None:
    pool = Pool(1)
    model = opened(hanging_dir(tmp_path / "m"), pool=pool)

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            await model.read("the bomb and the cat " * 20, "input")
        assert scope.cancelled_caught
        assert (await model.read("the cat", "input")).evidence == {"loops": (1.0,)}
        while pool._runs or pool.hung or pool.threads > 1:
            await anyio.sleep(0.001)

    run(main, backend)


@BACKENDS
def test_a_deadline_is_kept(tmp_path: Path, backend: str) -> None:
    model = opened(hanging_dir(tmp_path / "m"))
    late: list[float] = []

    async def main() -> None:
        for number in range(30):
            began = time.perf_counter()
            with anyio.move_on_after(0.02):
                await model.read(f"the bomb {number}", "input")
            late.append(time.perf_counter() - began - 0.02)

    run(main, backend)
    assert sorted(late)[len(late) // 2] < 0.1


@BACKENDS
def test_a_hung_run_keeps_neither_others_nor_the_same_text_waiting(
    tmp_path: Path, backend: str
) -> None:
    pool = Pool(2)
    hung = opened(hanging_dir(tmp_path / "hung"), pool=pool)
    sound = opened(made.injection_dir(tmp_path / "sound"), pool=pool)
    told: list[str] = []

    async def one(number: int) -> None:
        with anyio.move_on_after(0.1):
            await hung.read(f"bomb {number % 3}", "input")
        told.append("left")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(one, number)
        for number in range(20):
            assert await sound.read(f"ignore {number}", "input")
        assert (await hung.read("cat", "input")).evidence == {"loops": (1.0,)}

    run(main, backend)
    assert told == ["left"] * 30


@BACKENDS
def test_errors_hold_nothing_of_the_text(tmp_path: Path, backend: str) -> None:
    marks = {"broken": [float("nan")]}
    graph = made.classifier_onnx({}, classes=1, marks=marks)
    model = opened(made.model_dir(tmp_path / "m", graph, heads=HEADS))
    real = model._net._session

    class Session:
        def run(self, *args: Any) -> Any:
            args[1]["input_ids"][:] = 10**6  # beyond the table: the runtime names the token
            return real.run(*args)

    text = "canary7391 broken"
    for session in (real, Session()):
        model._net._session = session
        with pytest.raises(CheckError) as caught:
            read(model, text, backend=backend)
        shown = "".join(traceback.format_exception(caught.value)) + repr(model) + repr(model._pool)
        assert "canary7391" not in shown
        assert "1000000" not in shown
        assert caught.value.__cause__ is None


def test_a_model_is_let_go_with_its_threads_running(tmp_path: Path) -> None:
    pool = Pool(2)
    model = opened(made.injection_dir(tmp_path / "m"), pool=pool)
    read(model, "ignore")
    ref = weakref.ref(model)
    del model
    gc.collect()
    assert ref() is None
