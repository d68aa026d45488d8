"""The built wheel holds what the package reads, works away from the checkout, and is reproducible.

Grammars and policies lie outside the package and an editable install finds them beside it: nothing
but a wheel in an environment of its own proves that they ship.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EPOCH = "1767225600"  # any moment will do, as long as it is always the same

POLICY = """\
guardkit 1
policy wheel
  title   "What the wheel is tried with"
  owner   "packaging@example.com"
  version "1"

check greeting = pattern { match /\\bhello\\b/i  label "greeting" }

rule no_greeting {
  tier     safety    severity low
  on       input
  when     greeting
  then     block "No greetings, please."
}

test "a greeting is blocked" {
  input  "hello there"
  expect block by no_greeting
}
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # Nothing of this process may help: neither its paths nor its virtual environment.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def build(kind: str, source: Path, into: Path) -> Path:
    """Build an sdist or a wheel of `source` with the backend alone: no network, no isolation."""
    done = run(
        *(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", into),
        cwd=source,
        SOURCE_DATE_EPOCH=EPOCH,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def clean_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel installed; its dependencies are lent by this environment."""
    home = tmp_path_factory.mktemp("clean") / "env"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    python = Path(paths["scripts"]) / Path(sys.executable).name
    done = run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-deps", "--no-index", "--no-compile", wheel),
        cwd=home,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Added last, so the wheel wins; a .pth inside a folder added like this is not read, so the
    # editable install of the checkout stays out.
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(paths["purelib"]) / "lent.pth").write_text("\n".join(sorted(lent)), encoding="utf-8")
    return python


def guardkit_script(python: Path) -> Path:
    return python.with_name("guardkit" + python.suffix)


# --- what is in it


@pytest.mark.parametrize(
    "name",
    [
        "guardkit/__init__.py",
        "guardkit/py.typed",
        "guardkit/CHANGELOG.md",
        "guardkit/_grammars/guardkit.lark",
    ],
)
def test_the_wheel_holds(names: list[str], name: str) -> None:
    assert name in names


@pytest.mark.parametrize(
    ("folder", "pattern", "inside"),
    [
        ("grammars", "**/*", "guardkit/_grammars"),
        ("policies", "**/*", "guardkit/_policies"),
        ("guardkit/diagnostics/pages", "*.md", "guardkit/diagnostics/pages"),
        ("guardkit/models/languages", "*", "guardkit/models/languages"),
    ],
)
def test_the_wheel_holds_every_file_of(
    names: list[str], folder: str, pattern: str, inside: str
) -> None:
    here = ROOT / folder
    expected = {
        f"{inside}/{path.relative_to(here).as_posix()}"
        for path in here.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected, f"{folder} is empty"
    assert expected <= set(names)


def test_the_wheel_holds_every_module_and_nothing_of_the_workshop(names: list[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "guardkit").rglob("*.py")}
    assert modules <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert len(tops) == 2
    assert all(top == "guardkit" or top.endswith(".dist-info") for top in tops)
    assert not [name for name in names if name.endswith((".pyc", ".orig", ".rej"))]


def test_texts_to_train_with_stay_in_the_checkout(names: list[str], tmp_path: Path) -> None:
    texts = {"guardkit/train/seeds.jsonl.xz", "guardkit/train/sentences.txt"}
    assert all((ROOT / text).is_file() for text in texts)
    assert "guardkit/train/_recipe.py" in names
    assert not texts & set(names)
    with tarfile.open(build("sdist", ROOT, tmp_path)) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
    assert "guardkit/train/_recipe.py" in inside
    assert not texts & inside


def test_the_wheel_carries_its_licence(names: list[str]) -> None:
    licences = {name.rsplit("/", 1)[1] for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


# --- two builds


def test_a_wheel_from_the_sdist_is_the_same_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    again = build("wheel", source, tmp_path / "wheel")
    assert again.name == wheel.name
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert first.namelist() == second.namelist()
    assert again.read_bytes() == wheel.read_bytes()


# --- away from the checkout


def test_the_clean_environment_runs_the_wheel(clean_python: Path, tmp_path: Path) -> None:
    program = "import guardkit; print(guardkit.__file__, guardkit.__version__)"
    done = run(clean_python, "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file, _, version = done.stdout.strip().rpartition(" ")
    assert Path(file).is_relative_to(clean_python.parents[1])
    assert version == "0.1.0"


def test_a_policy_checks_in_the_clean_environment(clean_python: Path, tmp_path: Path) -> None:
    (tmp_path / "small.guard").write_text(POLICY, encoding="utf-8")
    done = run(guardkit_script(clean_python), "check", "small.guard", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_policy_is_refused_in_the_clean_environment(
    clean_python: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.guard").write_text(POLICY.replace("     greeting", "     greting"))
    done = run(guardkit_script(clean_python), "check", "wrong.guard", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "greting" in done.stdout + done.stderr


def test_a_diagnostic_is_explained_in_the_clean_environment(
    clean_python: Path, tmp_path: Path
) -> None:
    done = run(guardkit_script(clean_python), "explain", "GK201", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "GK201" in done.stdout


def test_pytest_finds_the_plugin_in_the_clean_environment(
    clean_python: Path, tmp_path: Path
) -> None:
    (tmp_path / "small.guard").write_text(POLICY, encoding="utf-8")
    options = ("-v", "-p", "no:cacheprovider", "--trace-config", "small.guard")
    done = run(clean_python, "-m", "pytest", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "small.guard::a greeting is blocked PASSED" in done.stdout
    # It is the wheel's, not the one of the checkout.
    inside = Path("guardkit", "testing", "_plugin.py")
    loaded = [line for line in done.stdout.splitlines() if str(inside) in line]
    assert loaded
    assert all(str(clean_python.parents[1]) in line for line in loaded)
