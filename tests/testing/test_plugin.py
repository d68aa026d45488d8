"""The pytest plugin in runs of its own: what is collected, what is said, what is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]

POLICY = """\
guardkit 1
policy small
  title   "Small"
  owner   "me@example.com"
  version "1"

check greeting = pattern { match /\\bhello\\b/i  label "greeting" }
check rude = classifier {
  model  "models/rude"
  digest "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}
rule no_greeting { tier safety  on input, output  when greeting  then block "No." }
rule no_rudeness { tier ethics  on input  when rude >= 0.7  then flag }

test "a greeting is blocked" { input "hello there"  expect block by no_greeting }
test "it fails" { given context.role = "staff"  input "Hello"  expect pass }
test "nobody knows" { input "Good day"  expect pass }
test "each [one] :: of" for each q in ["hello a", "hello b"] { output q  expect block }
probe greetings { cases "cases.jsonl"  disguise base64  expect stopped at least 75% }
probe all_of_them { cases "cases.jsonl"  expect stopped at least 95% confidence 90% }
"""
TITLES = [
    "a greeting is blocked",
    "it fails",
    "nobody knows",
    "each [one] : of [hello a]",
    "each [one] : of [hello b]",
    "probe all_of_them",
    "probe greetings",
]
FAILS = TITLES[1:3] + TITLES[5:6]
COUNTED = """\
guardkit 1
policy counted
  title   "Counted"
  owner   "me@example.com"
  version "1"

param word: text = "hello"
check greeting = words { list [word] }
window greetings { count no_greeting last 10 turns per session }
rule no_greeting { tier safety  on input  when greeting  then flag }
rule enough { tier safety  on conversation  when greetings >= 2  then block "No." for session }
rule waits { tier safety  on output  when greeting  then hold for "me" within 1h else block }
"""
JUDGED = """\
check rude = judge { call "nobody:here"  rubric "Is it rude?"  timeout 2s }
rule no_rudeness {
  tier safety  on input
  when cascade { no if not greeting  yes if rude >= 0.95  else no }
  then block "No."
}
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run of pytest ended."""

    code: int
    out: str
    outcomes: dict[str, str]
    """The name of each test: `passed`, `failure`, `skipped` or `error`."""


def run(folder: Path, *arguments: str) -> Ran:
    """pytest with the plugin and no other, as a process."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    dropped = ("PYTEST_ADDOPTS", "PYTHONPATH", "NO_COLOR", "FORCE_COLOR", "PY_COLORS", "CI")
    kept = {k: v for k, v in os.environ.items() if k not in dropped}
    options = ("-p", "guardkit.testing._plugin", "-p", "no:cacheprovider", f"--junitxml={report}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    outcomes = {}
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            outcomes[case.get("name", "")] = next((one.tag for one in case), "passed")
    return Ran(done.returncode, done.stdout + done.stderr, outcomes)


def collected(folder: Path, *arguments: str) -> list[str]:
    """The node ids of what would run."""
    out = run(folder, "--collect-only", "-q", *arguments).out
    return [line for line in out.splitlines() if "::" in line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.guard").write_text(POLICY, encoding="utf-8")
    rows = [{"text": f"hello number {n}" if n % 5 else "bye", "label": 1} for n in range(20)]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    write_test(tmp_path, "def test_python(): pass")
    return tmp_path


def write_test(folder: Path, source: str, name: str = "test_it.py") -> None:
    (folder / name).write_text(dedent(source), encoding="utf-8")


def write_ini(folder: Path, **settings: str) -> None:
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (folder / "pytest.ini").write_text("\n".join(["[pytest]", *lines]), encoding="utf-8")


# --- what is collected


def test_policies_are_left_alone_unless_somebody_asks(folder: Path) -> None:
    assert collected(folder) == ["test_it.py::test_python"]
    assert collected(folder, ".") == ["test_it.py::test_python"]


def test_a_policy_on_the_command_line_is_asked_for(folder: Path) -> None:
    ids = [f"small.guard::{title}" for title in TITLES]
    assert collected(folder, "small.guard") == ids
    assert collected(folder, "--guardkit") == [*ids, "test_it.py::test_python"]
    assert collected(folder, "small.guard", "--no-guardkit") == []
    assert collected(folder, "small.guard::each [one] : of [hello b]") == [ids[4]]
    assert collected(folder, "--guardkit", "-m", "guardkit", "-k", "probe") == ids[5:]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ("*.guard", ["a.guard", "in/b.guard", "in/deep/c.guard"]),
        ("in/*.guard", ["in/b.guard"]),
        ("in/**/*.guard", ["in/b.guard", "in/deep/c.guard"]),
        ("./a.guard c.guard", ["a.guard", "in/deep/c.guard"]),
        ("?.guard", ["a.guard", "in/b.guard", "in/deep/c.guard"]),
        ("[a].guard b.gua*", ["in/b.guard"]),
    ],
)
def test_a_setting_names_the_policies_to_collect(
    tmp_path: Path, patterns: str, found: list[str]
) -> None:
    head = POLICY.partition("check rude")[0]
    rule = 'rule r { tier safety  on input  when greeting  then block "No." }\n'
    for name in ("a.guard", "in/b.guard", "in/deep/c.guard"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(head + rule + 'test "it" { input "hello"  expect block }\n')
    write_ini(tmp_path, guardkit_files=patterns)
    assert sorted(collected(tmp_path)) == [f"{name}::it" for name in found]
    if patterns == "in/*.guard":
        assert len(collected(tmp_path, "--guardkit")) == 3
        assert collected(tmp_path, "--no-guardkit") == []
        # What the configuration says is meant from where it stands.
        assert collected(tmp_path / "in", "deep", "../a.guard") == ["a.guard::it"]


def test_a_policy_that_does_not_compile_is_an_error_of_collecting(folder: Path) -> None:
    (folder / "small.guard").write_text(POLICY.replace("when greeting", "when greting"))
    ran = run(folder, "small.guard")
    assert ran.code == 2
    assert "error[GK201]: no check is called `greting`" in ran.out
    assert "small.guard:12:" in ran.out
    assert "Traceback" not in ran.out


def test_two_tests_of_one_name_are_two(folder: Path) -> None:
    text = POLICY.replace('["hello a", "hello b"]', '["hello a", "hello a"]')
    (folder / "small.guard").write_text(text)
    assert collected(folder, "small.guard")[3:5] == [
        "small.guard::each [one] : of [hello a]",
        "small.guard::each [one] : of [hello a] #2",
    ]


# --- what comes of it


def test_outcomes(folder: Path) -> None:
    ran = run(folder, "small.guard")
    assert ran.code == 1
    assert list(ran.outcomes) == TITLES
    assert [name for name, what in ran.outcomes.items() if what != "passed"] == FAILS
    assert "FAILED small.guard::nobody knows - undecided: depends on `rude`" in ran.out
    assert "_plugin.py" not in ran.out


def test_a_failure_says_what_the_command_line_says(folder: Path) -> None:
    ran = run(folder, "small.guard")
    told = subprocess.run(
        [sys.executable, "-c", "from guardkit.cli import main; main()", "test", "small.guard"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    start, end = told.index('error[failed]: "it fails"'), told.index("before the event")
    lines = [line for line in told[start:end].splitlines() if line.strip()]
    assert len(lines) > 10
    for line in lines:
        assert line in ran.out


def test_no_text_of_a_case_is_shown(folder: Path) -> None:
    rows = [{"text": f"secret {n}", "label": 1} for n in range(5)]
    (folder / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ran = run(folder, "small.guard", "-k", "probe", "--tb=long")
    assert ran.outcomes == {"probe greetings": "failure", "probe all_of_them": "failure"}
    assert "secret" not in ran.out
    assert "line 1" in ran.out


def test_what_cannot_be_decided_may_be_skipped(folder: Path) -> None:
    write_ini(folder, guardkit_undecided="skip")
    ran = run(folder, "small.guard", "-rs", "-k", "nobody or blocked")
    assert ran.code == 0
    assert ran.outcomes == {"a greeting is blocked": "passed", "nobody knows": "skipped"}
    assert "small.guard:17: undecided: depends on `rude`" in ran.out
    write_ini(folder, guardkit_undecided="pass")
    ran = run(folder)
    assert ran.code == 4
    assert "guardkit_undecided is fail or skip, not 'pass'" in ran.out


def test_a_run_stops_at_the_first_failure(folder: Path) -> None:
    ran = run(folder, "small.guard", "-x", "--tb=line")
    assert list(ran.outcomes) == TITLES[:2]
    assert "small.guard:16: expected pass, came to block by no_greeting" in ran.out


def test_tests_run_in_any_order(folder: Path) -> None:
    write_test(
        folder,
        """
        def pytest_collection_modifyitems(items):
            items.reverse()
        """,
        "conftest.py",
    )
    straight = run(folder, "small.guard", "--noconftest").outcomes
    assert run(folder, "small.guard").outcomes == straight


def test_tests_run_on_several_workers(folder: Path) -> None:
    pytest.importorskip("xdist")
    straight = run(folder, "small.guard").outcomes
    assert run(folder, "small.guard", "-p", "xdist.plugin", "-n", "2").outcomes == straight


def test_colours_are_those_of_pytest(folder: Path) -> None:
    assert "\x1b[" not in run(folder, "small.guard", "-k", "fails").out
    ran = run(folder, "small.guard", "-k", "fails", "--color=yes")
    assert "\x1b[1;31merror[failed]" in ran.out
    assert "\x1b[" not in (folder / "report.xml").read_text()


# --- fixtures


def test_the_setting_names_the_policy_of_the_fixtures(folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "in" / "counted.guard").write_text(COUNTED)
    write_ini(folder, guardkit_policy="in/counted.guard")
    write_test(
        folder,
        """
        kept = []

        def test_policy(policy):
            assert policy.name == "counted"
            assert {rule.name for rule in policy.rules} == {"no_greeting", "enough", "waits"}

        def test_guard(guard):
            assert guard.check("hello", session="s").fired == ("no_greeting",)
            assert guard.check("hello", session="s").action == "block"
            assert guard.check("hello", on="output", session="t").action == "hold"
            assert len(guard.holds.list()) == 1
            kept.append(guard)

        def test_without_a_past(guard):
            assert guard is kept[0], "it is bound once"
            assert guard.check("hello", session="s").action == "flag"
            assert guard.holds.list() == ()
        """,
    )
    # A folder below: what the configuration says is meant from where it stands.
    (folder / "deep").mkdir()
    (folder / "test_it.py").rename(folder / "deep" / "test_it.py")
    assert run(folder, "deep").outcomes == dict.fromkeys(
        ["test_policy", "test_guard", "test_without_a_past"], "passed"
    )


def test_a_marker_goes_before_the_setting(folder: Path) -> None:
    (folder / "counted.guard").write_text(COUNTED + JUDGED)
    write_ini(folder, guardkit_policy="nothing.guard")
    write_test(
        folder,
        """
        import pytest

        async def rude(text, rubric):
            return 0.9

        RUDE = {"rude": rude}
        pytestmark = pytest.mark.guardkit("counted.guard", checks=RUDE)

        def test_module(guard):
            assert guard.check("hello", session="s").action == "flag"

        class TestWord:
            pytestmark = pytest.mark.guardkit(params={"word": "bye"})

            def test_params(self, guard, policy):
                assert guard.check("bye", session="s").action == "flag"
                assert guard.check("hello", session="s").action == "pass"
                assert policy.name == "counted"

            @pytest.mark.guardkit(params={"word": "good day"})
            def test_closest(self, guard):
                assert guard.check("bye", session="s").action == "pass"
                assert guard.check("good day", session="s").action == "flag"

        @pytest.mark.guardkit("starter")
        def test_ships(policy):
            assert policy.name == "starter"
        """,
    )
    ran = run(folder, "test_it.py")
    assert ran.outcomes == dict.fromkeys(
        ["test_module", "test_params", "test_closest", "test_ships"], "passed"
    ), ran.out


def test_what_is_wrong_with_a_policy_is_said_without_a_traceback(folder: Path) -> None:
    (folder / "wrong.guard").write_text(POLICY.replace("when greeting", "when greting"))
    write_test(
        folder,
        """
        import pytest

        def test_nothing(guard): pass

        @pytest.mark.guardkit("wrong.guard")
        def test_wrong(guard): pass

        @pytest.mark.guardkit("wrong.guard")
        def test_wrong_policy(policy): pass

        @pytest.mark.guardkit("small.guard")
        def test_unbound(guard): pass

        @pytest.mark.guardkit("small.guard", param={})
        def test_marker(guard): pass

        @pytest.mark.guardkit("gone.guard")
        def test_gone(policy): pass
        """,
    )
    ran = run(folder, "test_it.py")
    assert set(ran.outcomes.values()) == {"error"}
    assert len(ran.outcomes) == 6
    for said in (
        "no policy is named: say `@pytest.mark.guardkit(PATH)`",
        "wrong.guard:12:56: error[GK201] no check is called `greting`",
        "error[GK201]: no check is called `greting`",
        "check `rude`: ",
        "the marker `guardkit` takes no `param`",
        "gone.guard` cannot be read: there is no such file",
    ):
        assert said in ran.out
    assert "_plugin.py" not in ran.out
    assert "During handling" not in ran.out


# --- what it costs who does not use it

HEAVY = ("guardkit.guard", "guardkit.diagnostics", "lark", "numpy", "re2", "pydantic", "anyio")


def test_a_run_without_policies_loads_nothing(folder: Path) -> None:
    write_test(
        folder,
        f"""
        import sys

        def test_light(request):
            assert request.config.pluginmanager.hasplugin("guardkit.testing._plugin")
            assert not set(sys.modules) & {set(HEAVY)}
            loaded = sorted(name for name in sys.modules if name.startswith("guardkit"))
            assert loaded == [
                "guardkit", "guardkit._util", "guardkit._util.lazily",
                "guardkit.testing", "guardkit.testing._plugin",
            ]
        """,
    )
    assert run(folder, "-W", "error").outcomes == {"test_light": "passed"}


def test_it_is_imported_in_a_few_milliseconds(tmp_path: Path) -> None:
    program = """
        import pytest, time
        begun = time.process_time()
        import guardkit.testing._plugin
        print(time.process_time() - begun)
    """
    # As installed: compiled once, whatever this run says of that.
    cached = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}

    def taken() -> float:
        command: Sequence[str] = (sys.executable, "-c", dedent(program))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **cached}
        return float(subprocess.check_output(command, env=environment, text=True))

    assert min(taken() for _ in range(6)) < 0.005
