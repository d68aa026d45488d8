"""The samples of the language document compile with the modules that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardkit.guard import compile_file

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.mark.parametrize("name", ["retail_support", "ops_agent"])
def test_a_sample_compiles_with_the_shipped_modules(name: str) -> None:
    checked = compile_file(SAMPLES / f"{name}.guard")
    assert checked.policy is not None, checked.diagnostics
    assert not [found for found in checked.diagnostics if found.level == "warning"]
