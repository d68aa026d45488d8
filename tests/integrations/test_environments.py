"""The environments of the adapters' tests: what runs them is loud, and the table says what ran."""

from __future__ import annotations

import json
import os
import re
import sys
import sysconfig
import venv
from dataclasses import asdict, replace
from pathlib import Path
from textwrap import dedent

import pytest

from . import environments
from ._tools import ROOT, found
from .environments import BEGIN, END, SECTIONS, TESTED, Result, SectionError

PAGE = "guardkit/docs/pages/how-to/integrations/index.md"
OUTSIDE = {"garak", "promptfoo"}
"""Programs that people point at guardkit; no package of Python that an adapter stands on."""

SECTION = """
[some_tool]
packages = ["some-tool[all]>=1.2", "other"]
tests = ["test_it.py"]
"""
RESULT = Result(
    name="some_tool",
    tool="Some Tool",
    package="some-tool",
    version="1.2",
    tests=("integrations/test_it.py",),
    passed=7,
    failed=0,
    skipped=0,
    guardkit="0.1",
    python="3.11",
)


@pytest.fixture
def sections(tmp_path: Path) -> Path:
    """A file of sections with one test file beside it."""
    folder = tmp_path / "tests" / "integrations"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text("def test_it():\n    pass\n")
    (folder / "environments.toml").write_text(SECTION)
    return folder / "environments.toml"


# --- what is committed


def test_every_package_of_an_adapter_has_an_environment() -> None:
    sections = environments.read_sections(SECTIONS)
    brought = {re.split(r"[\[<>=]", one)[0] for each in sections.values() for one in each.packages}
    assert set(found()) - OUTSIDE <= set(sections) | brought


def test_what_is_committed_was_run_for_every_section_and_passed() -> None:
    sections = environments.read_sections(SECTIONS)
    told = {one["name"]: one for one in json.loads(TESTED.read_text(encoding="utf-8"))}
    assert sorted(told) == sorted(sections)
    for name, environment in sections.items():
        one = told[name]
        assert (one["failed"], one["skipped"], one["passed"] > 0) == (0, 0, True)
        said = (one["tool"], one["package"], tuple(one["tests"]))
        assert said == (environment.tool, environment.package, environment.tests)


def test_the_table_is_what_was_run() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    told = json.loads(TESTED.read_text(encoding="utf-8"))
    assert environments.with_table(page, told) == page, (
        f"python -m tests.integrations.environments --table {PAGE}"
    )


# --- sections


def test_a_section_is_read(sections: Path) -> None:
    (one,) = environments.read_sections(sections).values()
    assert (one.name, one.tool, one.package) == ("some_tool", "some_tool", "some-tool")
    assert one.packages == ("some-tool[all]>=1.2", "other")
    assert one.tests == ("integrations/test_it.py",)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("[a", "environments.toml: "),
        ("a = 1", "`a` is no section"),
        ('["../a"]\npackages = ["b"]\ntests = ["test_it.py"]', "`../a` is no section"),
        ('[a]\ntests = ["test_it.py"]', "[a] needs `packages`, a list of strings"),
        ('[a]\npackages = []\ntests = ["test_it.py"]', "[a] needs `packages`"),
        ('[a]\npackages = ["b"]\ntests = "test_it.py"', "[a] needs `tests`"),
        ('[a]\npackages = ["b"]\ntests = ["test_no.py"]', "`test_no.py`, which is not there"),
        ('[a]\npackages = ["b"]\ntests = ["../../x.py"]', "`../../x.py`, which is not there"),
        ('[a]\npackages = ["b"]\ntests = ["test_it.py"]\nskip = 1', "the unknown key `skip`"),
        ('[a]\npackages = [">=1"]\ntests = ["test_it.py"]', "names no package"),
    ],
)
def test_a_wrong_section_is_said_and_nothing_runs(
    sections: Path, section: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (sections.parents[2] / "x.py").write_text("")
    sections.write_text(section)
    assert environments.main([], sections, sections.parent / "venvs") == 2
    assert said in capsys.readouterr().err
    assert not (sections.parent / "venvs").exists()


def test_a_name_that_is_no_section_is_said(
    sections: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert environments.main(["some_tol"], sections, sections.parent) == 2
    assert capsys.readouterr().err == "there is no section [some_tol]; there are: some_tool\n"


# --- a run


@pytest.fixture
def venvs(sections: Path) -> Path:
    """An environment as pip would have left it; its tests run in it for real."""
    (one,) = environments.read_sections(sections).values()
    folder = sections.parent / "venvs" / one.name
    venv.create(folder, with_pip=False)
    base = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", base))
    (site / "here.pth").write_text(sysconfig.get_path("purelib"))
    for package, version in (("some_tool", "1.2.3"), ("guardkit", "0.1")):
        told = site / f"{package}-{version}.dist-info"
        told.mkdir()
        (told / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n")
    (folder / "requirements.json").write_text(environments._stamp(one))
    return folder.parent


TESTS = {
    "passed": ("", (2, 0, 0)),
    "failed": ("    assert False", (1, 1, 0)),
    "skipped": ("    pytest.skip('platform: it is late')", (1, 0, 1)),
}


@pytest.mark.parametrize("case", TESTS)
def test_a_run_is_good_only_when_everything_ran_and_passed(
    sections: Path, venvs: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body, counts = TESTS[case]
    program = """
        import os
        import sys

        import pytest

        def test_is_in_its_environment():
            assert sys.prefix == {prefix!r}
            assert os.environ["CI"] == "true"
            assert "PYTHONPATH" not in os.environ

        def test_it():
            assert True
        {body}
    """
    source = dedent(program).format(prefix=str(venvs / "some_tool"), body=body)
    (sections.parent / "test_it.py").write_text(source)
    results = sections.parent / "results.json"
    status = environments.main(["--results", str(results)], sections, venvs)
    said = capsys.readouterr().out
    assert status == (0 if case == "passed" else 1), said
    (told,) = json.loads(results.read_text())
    assert (told["passed"], told["failed"], told["skipped"]) == counts
    assert (told["version"], told["guardkit"]) == ("1.2.3", "0.1")
    assert told["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    line = said.splitlines()[-1]
    passed, failed, skipped = counts
    assert line.startswith(
        f"some_tool: some-tool 1.2.3, {passed} passed, {failed} failed, {skipped} skipped ("
    )
    assert ("test_it" in said) == (case != "passed")
    assert ("it is late" in said) == (case == "skipped")


@pytest.mark.parametrize("source", ["", "import no_such_module"])
def test_a_file_without_a_test_that_ran_is_no_success(
    sections: Path, venvs: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (sections.parent / "test_it.py").write_text(source)
    assert environments.main([], sections, venvs) == 1
    assert "0 passed, 1 failed, 0 skipped" in capsys.readouterr().out


def test_what_pip_cannot_install_is_said_and_kept_nowhere(
    sections: Path,
    venvs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # no network: nothing at all is found
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    sections.write_text(SECTION.replace("1.2", "1.3"))  # other requirements: made anew
    results = sections.parent / "results.json"
    assert environments.main(["--results", str(results)], sections, venvs) == 1
    assert "some_tool: pip ended with status 1" in capsys.readouterr().out
    assert json.loads(results.read_text()) == []
    assert not (venvs / "some_tool" / "requirements.json").exists()


# --- results and their table


def test_results_of_other_sections_are_kept_and_of_none_are_not(tmp_path: Path) -> None:
    path = tmp_path / "tested.json"
    first = [replace(RESULT, name=name) for name in ("b", "a", "gone")]
    environments.write_results(path, first, ["a", "b", "gone"])
    again = replace(RESULT, name="b", passed=9)
    environments.write_results(path, [again], ["a", "b"])
    told = json.loads(path.read_text())
    assert [(one["name"], one["passed"]) for one in told] == [("a", 7), ("b", 9)]


def test_the_table_stands_between_its_marks(tmp_path: Path) -> None:
    document, results = tmp_path / "README.md", tmp_path / "tested.json"
    document.write_text(f"# One\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    results.write_text(json.dumps([asdict(RESULT)]))
    asked = ["--table", str(document), "--results", str(results)]
    assert environments.main(asked) == 0
    wanted = f"""\
        # One

        {BEGIN}
        | tool | package | tested version | what it runs |
        |---|---|---|---|
        | Some Tool | `some-tool` | 1.2 | 7 tests of `integrations/test_it.py` |
        {END}

        after
        """
    assert document.read_text() == dedent(wanted)


@pytest.mark.parametrize("document", ["", BEGIN, END + BEGIN, BEGIN + END + BEGIN])
def test_a_document_without_its_marks_is_left_alone(document: str) -> None:
    with pytest.raises(SectionError, match="mark"):
        environments.with_table(document, [asdict(RESULT)])
