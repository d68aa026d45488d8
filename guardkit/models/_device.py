"""ONNX Runtime on one device: sessions that print nothing, start no threads and can be stopped."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Literal

from guardkit.errors import BindError, CheckError

Device = Literal["cpu", "gpu"]

DEVICES: Final = ("auto", "cpu", "gpu")
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"
_NOTHING_PRINTED: Final = 4
"""Only what ends the process. What goes wrong is raised, and said by us."""


def runtime() -> Any:  # onnxruntime is loaded late
    """The module `onnxruntime`.

    Raises:
        BindError: It is not installed, or broken.
    """
    try:
        onnxruntime: Any = import_module("onnxruntime")
    except ImportError:
        raise BindError(
            "this model needs ONNX Runtime: install `guardkit[cpu]` or `guardkit[gpu]`"
        ) from None
    if not hasattr(onnxruntime, "InferenceSession"):
        # Two packages bring this module. To remove one of them breaks the other, silently.
        raise BindError(
            "ONNX Runtime is broken: remove both `onnxruntime` and `onnxruntime-gpu`, then install"
            " `guardkit[cpu]` or `guardkit[gpu]`"
        )
    return onnxruntime


def has_gpu(runtime: Any) -> bool:
    """Whether there is a GPU that this ONNX Runtime could use.

    The list of providers says what was compiled in, not what is there: a device is looked for.
    """
    if _CUDA not in runtime.get_available_providers():
        return False
    listed = getattr(runtime, "get_ep_devices", None)  # older releases are without it
    devices = listed() if listed is not None else []
    return any(one.ep_name == _CUDA for one in devices) or _cuda_devices() > 0


def _cuda_devices() -> int:
    """How many devices the driver of the GPU has; 0 without a driver."""
    import ctypes

    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
            return 0
        return count.value
    except (OSError, AttributeError):
        return 0


class Net:
    """A graph that is ready to run on one device, from any thread.

    Args:
        model: The bytes of `model.onnx`.
        outputs: The outputs that are needed.
        device: Where it runs: `auto`, `cpu` or `gpu`.

    Raises:
        BindError: It cannot run there; one sentence.
    """

    device: Device

    def __init__(self, model: bytes, outputs: Sequence[str], device: str = "auto") -> None:
        if device not in DEVICES:
            raise BindError(f"a device is one of {', '.join(DEVICES)}")
        self._runtime = runtime()
        self._outputs = [*outputs]
        is_there = device != "cpu" and has_gpu(self._runtime)
        if device == "gpu" and not is_there:
            raise BindError(
                "the device `gpu` is required and no GPU can be used: it needs `guardkit[gpu]`,"
                " a driver and a CUDA device"
            )
        self._session = self._opened(model, _CUDA if is_there else _CPU)
        is_gpu = self._session.get_providers()[0] == _CUDA
        if device == "gpu" and not is_gpu:
            raise BindError(
                "the device `gpu` is required and ONNX Runtime fell back to the CPU: the libraries"
                " of CUDA or cuDNN that it needs are missing"
            )
        self.device = "gpu" if is_gpu else "cpu"
        self._inputs = {port.name for port in self._session.get_inputs()}
        self._owner = os.getpid()

    def _opened(self, model: bytes, provider: str) -> Any:
        ort = self._runtime
        options = ort.SessionOptions()
        # The pool is what runs in parallel: windows, not the inside of one. Two pools of threads on
        # the same cores are slower than either, and threads that spin are worse.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _NOTHING_PRINTED
        providers: list[Any] = [provider]
        if provider == _CUDA:
            self._preload()
            # Numbers of 19 bits would be a little faster, and other on each generation of GPUs.
            providers = [(_CUDA, {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}), _CPU]
        try:
            return ort.InferenceSession(model, options, providers=providers)
        except Exception as error:  # noqa: BLE001 - its errors have no common root
            why = f"{type(error).__name__} while it was opened"
            raise BindError(f"ONNX Runtime {ort.__version__} cannot run it: {why}") from None

    def _preload(self) -> None:
        """Libraries of CUDA that were installed as packages are not where the loader looks."""
        from contextlib import redirect_stdout
        from io import StringIO

        preload = getattr(self._runtime, "preload_dlls", None)
        if preload is not None:
            with redirect_stdout(StringIO()):  # it prints what it does not find
                preload()

    def options(self) -> Any:
        """What a run can be stopped by: set its `terminate`."""
        options = self._runtime.RunOptions()
        options.log_severity_level = _NOTHING_PRINTED
        return options

    def run(self, rows: Sequence[Any], pad: int, options: Any, *, width: int = 0) -> dict[str, Any]:
        """The outputs for rows of token ids, of each row a row.

        Args:
            rows: Token ids, int64.
            pad: What shorter rows are filled with.
            options: Made by `options()`.
            width: How long rows are made at least.

        Raises:
            CheckError: The run failed or was stopped. Nothing of the rows is in it.
        """
        if self.device == "gpu" and os.getpid() != self._owner:
            raise CheckError("a model on a GPU has to be opened after a fork, not before")
        feed = self._feed(rows, pad, max(width, max(map(len, rows))))
        try:
            if self.device == "gpu":
                outputs = self._bound(feed, options)
            else:
                outputs = self._session.run(self._outputs, feed, options)
        except Exception as error:  # noqa: BLE001 - its errors have no common root
            # What it says may quote a token of the text.
            why = "was stopped" if options.terminate else f"failed with {type(error).__name__}"
            raise CheckError(f"the model {why}") from None
        return dict(zip(self._outputs, outputs, strict=True))

    def _feed(self, rows: Sequence[Any], pad: int, width: int) -> dict[str, Any]:
        import numpy as np

        if len(rows) == 1 and len(rows[0]) == width:
            ids = rows[0][None]
            mask = np.ones_like(ids)
        else:
            ids = np.full((len(rows), width), pad, dtype=np.int64)
            mask = np.zeros_like(ids)
            for number, row in enumerate(rows):
                ids[number, : len(row)] = row
                mask[number, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(ids)
        return {name: value for name, value in feed.items() if name in self._inputs}

    def _bound(self, feed: dict[str, Any], options: Any) -> Any:
        """A run whose inputs and outputs cross to the device once."""
        binding = self._session.io_binding()
        for name, value in feed.items():
            binding.bind_cpu_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        binding.synchronize_inputs()
        self._session.run_with_iobinding(binding, options)
        binding.synchronize_outputs()
        return binding.copy_outputs_to_cpu()
