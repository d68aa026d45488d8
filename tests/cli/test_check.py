"""`guardkit check`: formats, exit codes, what it says a policy guards."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guardkit.diagnostics import FORMATS

from ._run import SMALL, WARNED, WRONG, guardkit


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.guard"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.guard"
    path.write_text(WRONG, encoding="utf-8")
    return path


@pytest.fixture
def warned(tmp_path: Path) -> Path:
    path = tmp_path / "warned.guard"
    path.write_text(WARNED, encoding="utf-8")
    return path


# --- for people


def test_a_clean_policy_says_what_it_guards(small: Path) -> None:
    done = guardkit("check", small, COLUMNS="120")
    assert done.code == 0
    assert done.out == ""
    assert "1 rule active" in done.err
    assert "input 1 · output 1" in done.err
    assert done.err.endswith("no findings\n")


def test_a_wrong_policy_gets_a_frame(wrong: Path) -> None:
    done = guardkit("check", wrong)
    assert done.code == 2
    assert done.out == ""
    assert "error[GK201]" in done.err
    assert "when greting" in done.err
    assert "did you mean `greeting`?" in done.err
    assert "active" not in done.err
    assert done.err.endswith("1 error in 1 file\n")


def test_a_warning_is_clean_unless_strict(warned: Path) -> None:
    assert guardkit("check", warned).code == 0
    assert "GK419" in guardkit("check", warned).err
    strict = guardkit("check", "--strict", warned)
    assert strict.code == 1
    assert "GK419" in strict.err


def test_an_error_is_stronger_than_a_warning(warned: Path, wrong: Path) -> None:
    done = guardkit("check", "--strict", warned, wrong)
    assert done.code == 2
    assert "1 error, 1 warning in 2 files" in done.err


def test_a_note_is_one_line_and_a_frame_with_verbose(tmp_path: Path) -> None:
    path = tmp_path / "untested.guard"
    other = (
        "rule other {\n  tier safety\n  on   input\n  when context.a == 1\n  then flag\n}\n\ntest "
    )
    path.write_text(SMALL.replace("test ", other), encoding="utf-8")
    brief = guardkit("check", path)
    assert brief.code == guardkit("check", "--strict", path).code == 0
    (line,) = [line for line in brief.err.splitlines() if "GK412" in line]
    assert line.startswith(path.as_posix())
    full = guardkit("check", "--verbose", path)
    assert "note[GK412]: no test" in full.err
    assert "rule other {" in full.err


def test_verbose_names_the_rules_and_what_nothing_guards(small: Path) -> None:
    done = guardkit("check", "--verbose", small)
    assert "input        no_greeting" in done.err
    assert "no rule on   retrieved, tool_call, tool_result, conversation" in done.err


def test_quiet_says_only_what_is_wrong(small: Path, wrong: Path) -> None:
    assert guardkit("check", "--quiet", small).err == ""
    assert guardkit("--quiet", "check", small).err == ""
    done = guardkit("check", "-q", wrong)
    assert "error[GK201]" in done.err
    assert "1 error" not in done.err


def test_idle_rules_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "idle.guard"
    second = SMALL.partition("rule")[2].partition("test")[0].replace("no_greeting", "quiet")
    path.write_text(SMALL + "\nrule" + second.replace("  on ", "  mode     shadow\n  on "))
    done = guardkit("check", path, COLUMNS="120")
    assert "1 in shadow" in done.err


def test_a_module_says_what_it_brings(tmp_path: Path) -> None:
    path = tmp_path / "part.guard"
    path.write_text(SMALL.partition("rule")[0].replace("policy small", "module part"))
    assert "a module with 1 check and 0 rules to apply" in guardkit("check", path).err


def test_long_surfaces_go_to_a_line_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60)
    folder.mkdir()
    (folder / "small.guard").write_text(SMALL)
    assert "1 rule active\n  input 1 · output 1\n" in guardkit("check", folder, COLUMNS="80").err


# --- for programs


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_the_same_code(
    format: str, small: Path, warned: Path, wrong: Path
) -> None:
    for path, code, strict in ((small, 0, 0), (warned, 0, 1), (wrong, 2, 2)):
        assert guardkit("check", "--format", format, path).code == code
        assert guardkit("check", "--strict", "--format", format, path).code == strict


@pytest.mark.parametrize("format", [f for f in FORMATS if f not in ("full", "concise")])
def test_programs_get_stdout_and_nothing_else(format: str, wrong: Path, warned: Path) -> None:
    done = guardkit("check", "--format", format, wrong, warned, FORCE_COLOR="1")
    assert done.err == ""
    assert "\x1b" not in done.out
    assert "GK201" in done.out
    assert "GK419" in done.out


def test_json(wrong: Path) -> None:
    said = json.loads(guardkit("check", "--format", "json", wrong).out)
    assert [d["code"] for d in said["diagnostics"]] == ["GK201"]
    assert said["summary"] == {"errors": 1, "warnings": 0, "notes": 0, "files": 1}


def test_jsonl(wrong: Path, warned: Path) -> None:
    lines = guardkit("check", "--format", "jsonl", wrong, warned).out.splitlines()
    assert {json.loads(line)["code"] for line in lines} == {"GK201", "GK419"}


def test_github(wrong: Path) -> None:
    assert guardkit("check", "--format", "github", wrong).out.startswith("::error file=")


def test_sarif(wrong: Path) -> None:
    (run,) = json.loads(guardkit("check", "--format", "sarif", wrong).out)["runs"]
    assert run["tool"]["driver"]["version"]
    assert [result["ruleId"] for result in run["results"]] == ["GK201"]


def test_junit(wrong: Path, small: Path) -> None:
    suites = ElementTree.fromstring(guardkit("check", "--format", "junit", wrong, small).out)
    assert suites.attrib["failures"] == "1"


def test_concise_is_a_line_each_and_the_sum_is_for_people(wrong: Path) -> None:
    done = guardkit("check", "--format", "concise", wrong)
    assert done.out.splitlines() == [
        f"{wrong.as_posix()}:15:8: error[GK201] no check is called `greting`"
    ]
    assert done.err == "1 error in 1 file\n"


def test_nothing_wrong_is_an_empty_list(small: Path) -> None:
    assert json.loads(guardkit("check", "--format", "json", small).out)["diagnostics"] == []
    assert guardkit("check", "--format", "jsonl", small).out == ""


# --- which files


def test_a_folder_stands_for_every_policy_below_it(tmp_path: Path) -> None:
    for name in ("a.guard", "b/c.guard", ".hidden/d.guard", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SMALL)
    done = guardkit("check", tmp_path, tmp_path / "a.guard")
    assert [line for line in done.err.splitlines() if ".guard" in line] == [
        f"{tmp_path.as_posix()}/{name}: 1 rule active" for name in ("a.guard", "b/c.guard")
    ] or done.err.count("1 rule active") == 2
    assert "d.guard" not in done.err


def test_a_finding_of_a_shared_module_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "part.guard").write_text(
        SMALL.partition("rule")[0].replace("policy small", "module part").replace("hello", "(?=x)")
    )
    for name in ("a", "b"):
        use = 'use "./part.guard" version "1" as part\n\ncheck'
        text = SMALL.replace("policy small", f"policy {name}").replace("check", use, 1)
        (tmp_path / f"{name}.guard").write_text(text)
    found = json.loads(
        guardkit("check", "--format", "json", tmp_path / "a.guard", tmp_path / "b.guard").out
    )["diagnostics"]
    inside = [d for d in found if d["path"].endswith("part.guard")]
    assert len(inside) == 1


# --- parameters

WITH_PARAM = (
    SMALL.replace(
        "check greeting", "param most: number = 10\n\ncheck size = length { }\n\ncheck greeting"
    )
    .replace("when greeting", "when greeting or size > most")
    .replace("input, output", "input")
)


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ("most=20", 0, "no findings"),
        ("most=lots", 2, "GK218"),
        ("most=2026-01-01", 2, "GK218"),
        ("least=3", 2, "GK278"),
        ("most", 2, "is not NAME=VALUE"),
        ("=3", 2, "is not NAME=VALUE"),
    ],
)
def test_parameters(tmp_path: Path, given: str, code: int, says: str) -> None:
    path = tmp_path / "with_param.guard"
    path.write_text(WITH_PARAM)
    done = guardkit("check", path, "--param", given)
    assert (done.code, says in done.err) == (code, True), done.err


@pytest.mark.parametrize(
    ("type", "written"),
    [
        ("text", "en"),
        ("text", '"en"'),
        ("score", "0.5"),
        ("score", "50%"),
        ("boolean", "yes"),
        ("duration", "15m"),
        ("date", "2027-01-31"),
        ("domain", "a.example"),
        ("money", "500 EUR"),
        ("list of domain", '["a.example", "*.b.example"]'),
        ("text", "x\nrule y {}"),
    ],
)
def test_a_parameter_is_written_as_in_a_policy(tmp_path: Path, type: str, written: str) -> None:
    path = tmp_path / "typed.guard"
    path.write_text(SMALL.replace("check greeting", f"param p: {type}\n\ncheck greeting"))
    assert "GK217" in guardkit("check", path).err
    done = guardkit("check", path, "--param", f"p={written}")
    assert done.code == 0, done.err


# --- fixes


def test_fix_makes_safe_fixes_and_says_how_many(tmp_path: Path) -> None:
    path = tmp_path / "fixable.guard"
    text = SMALL.replace("when greeting", 'when greeting and context.a = "x"')
    path.write_text(text)
    before = json.loads(guardkit("check", "--format", "json", path).out)["diagnostics"]
    safe = [d for d in before if d["fix"] and d["fix"]["safe"]]
    assert safe, "this policy has nothing to fix safely"
    done = guardkit("check", "--fix", path)
    assert done.code == 0, done.err
    assert "1 fix made" in done.err
    assert 'context.a == "x"' in path.read_text()


def test_fix_keeps_a_mark_at_the_start_and_the_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "fixable.guard"
    text = SMALL.replace("when greeting", 'when greeting and context.a = "x"')
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert guardkit("check", "--fix", path).code == 0
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfguardkit 1\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n")


def test_fix_leaves_unsafe_fixes_and_clean_files_alone(small: Path, wrong: Path) -> None:
    for path in (small, wrong):
        before = path.read_bytes(), path.stat().st_mtime_ns
        guardkit("check", "--fix", path)
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_the_sum_says_what_fix_would_do(tmp_path: Path) -> None:
    path = tmp_path / "slip.guard"
    path.write_text(SMALL.replace("  tier safety", "  teir safety"), encoding="utf-8")
    assert guardkit("check", str(path)).err.endswith("1 error in 1 file; 1 fixable with --fix\n")
    assert "fixable" not in guardkit("check", "--fix", str(path)).err
