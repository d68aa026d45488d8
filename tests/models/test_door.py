"""The door of the room: light, and as wide as it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from guardkit import models

ROOT = Path(__file__).parents[2]
HEAVY = {"anyio", "cachetools", "numpy", "onnx", "onnxruntime", "pydantic", "tokenizers"}


def loaded_by(program: str) -> set[str]:
    """The packages that are loaded after a program ran in a process of its own."""
    program += (
        "\nimport json, sys\nprint(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=50, check=True, cwd=ROOT
    )
    return set(json.loads(done.stdout))


def test_the_door_loads_nothing_heavy() -> None:
    assert not loaded_by("import guardkit.models") & HEAVY


def test_a_manifest_needs_no_runtime() -> None:
    program = "from guardkit.models import manifest_of, verify, read_onnx"
    assert loaded_by(program) & HEAVY == {"pydantic"}


def test_every_name_is_there() -> None:
    assert len(set(models.__all__)) == len(models.__all__)
    for name in models.__all__:
        assert getattr(models, name) is not None
