"""llm-guard: its `Regex` scanner, and a classifier on ONNX. It runs in its own environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from _worker import TRIVIAL, StoppedError, serve
from llm_guard import scan_output, scan_prompt
from llm_guard.input_scanners import PromptInjection, Regex
from llm_guard.model import Model
from llm_guard.output_scanners import Regex as OutputRegex
from llm_guard.util import configure_logger


def scan(patterns: Sequence[str]) -> Callable[[str], bool]:
    scanners = [Regex(list(patterns), match_type="search", redact=False)]
    return lambda text: not all(scan_prompt(scanners, text)[1].values())


def redact(patterns: Sequence[str], each: bool = False) -> Callable[[str], str]:
    parts = [[pattern] for pattern in patterns] if each else [list(patterns)]
    scanners = [Regex(part, match_type="all", redact=True) for part in parts]
    return lambda text: str(scan_prompt(scanners, text)[0])


def wrap(function: Callable[[str], Awaitable[str]]) -> Callable[[str], Awaitable[str]]:
    before = [Regex([TRIVIAL], match_type="search", redact=False)]
    after = [OutputRegex([TRIVIAL], match_type="search", redact=False)]

    async def call(prompt: str) -> str:
        asked, valid, _ = scan_prompt(before, prompt)
        if not all(valid.values()):
            raise StoppedError
        answer, valid, _ = scan_output(after, asked, await function(asked))
        if not all(valid.values()):
            raise StoppedError
        return str(answer)

    return call


def classify(folder: str, is_single: bool = False) -> Callable[[str], float]:
    import onnxruntime

    at = f"{folder}/plain"
    kwargs: dict[str, Any] = {}
    if is_single:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        kwargs["session_options"] = options
    model = Model(
        path=at,
        onnx_path=at,
        kwargs=kwargs,
        pipeline_kwargs={"return_token_type_ids": False, "max_length": 256, "truncation": True},
    )
    scanner = PromptInjection(model=model, match_type="full", use_onnx=True)
    return lambda text: float(scanner.scan(text)[2])


if __name__ == "__main__":
    configure_logger("ERROR")  # its log of every scan would cost more than the scan
    serve(
        ("llm-guard", "torch", "onnxruntime", "optimum"),
        scan={"`scan_prompt`, one `Regex` of all, ends at the first match": scan},
        redact={
            "`scan_prompt`, one `Regex` of all, which ends at the first pattern": redact,
            "`scan_prompt`, a `Regex` each": partial(redact, each=True),
        },
        wrap={"`scan_prompt` and `scan_output` around the call": wrap},
        classify={
            "`PromptInjection` on the same model, `use_onnx`": classify,
            "the same, one thread that does not spin": partial(classify, is_single=True),
        },
    )
