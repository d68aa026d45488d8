"""What is said where a tool's package is missing, and what loads without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def alone(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("name", ["approver", "guarded", "passes"])
def test_a_missing_package_is_named_with_its_extra(name: str) -> None:
    ran = alone(
        "import sys; sys.modules['inspect_ai'] = None\n"
        f"from guardkit.integrations.inspect_ai import {name}"
    )
    said = ran.stderr.splitlines()[-1]
    assert said == (
        "guardkit.errors.BindError: this integration needs `inspect_ai`: "
        "pip install 'guardkit[inspect]'"
    )


def test_a_package_that_is_there_and_broken_says_so_itself(tmp_path: Path) -> None:
    package = tmp_path / "inspect_ai"
    package.mkdir()
    (package / "__init__.py").write_text("import no_such_module")
    ran = alone(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from guardkit.integrations.inspect_ai import approver"
    )
    assert ran.stderr.splitlines()[-1] == ("ModuleNotFoundError: No module named 'no_such_module'")


def test_the_doors_load_nothing_of_other_houses() -> None:
    ran = alone(
        "import sys\n"
        "import guardkit.integrations, guardkit.integrations.garak\n"
        "import guardkit.integrations.promptfoo, guardkit.integrations.inspect_ai\n"
        "print({'garak', 'inspect_ai', 'numpy', 'torch'} & set(sys.modules))"
    )
    assert (ran.stdout, ran.stderr) == ("set()\n", "")
