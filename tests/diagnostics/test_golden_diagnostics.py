"""What an author is told: each policy in `tests/golden/diagnostics/` beside its rendered findings.

`GK201-unknown-check.guard` shows that code, `GK201-unknown-check-in-module.guard` a variant of it,
`many-….guard` several independent mistakes at once. What they name (modules, word lists, tool
listings) lies in `files/`. A policy no text file can hold is built by an entry of `BUILT`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from guardkit.diagnostics import CODES, Code, Diagnostic, Place, render
from guardkit.guard import CATALOG, ParamValue, compile_file, plan_findings
from guardkit.plan import PlanError, from_json, lower, to_json

FOLDER = Path(__file__).parents[1] / "golden" / "diagnostics"
STD = Path(__file__).parents[1] / "samples" / "std"
TODAY = date(2026, 11, 21)

_NAMED = re.compile(r"(GK\d{3})-([a-z0-9]+(?:-[a-z0-9]+)*)")
_MESSAGE = re.compile(r"[^A-Z\s].*[^.\s]")

INPUTS = sorted(path.stem for path in FOLDER.glob("*.guard"))
every_input = pytest.mark.parametrize("name", INPUTS)


def findings(path: str, **params: ParamValue) -> list[Diagnostic]:
    """Everything found in a policy, from its text to its plan."""
    checked = compile_file(path, std=STD, today=TODAY, params=params)
    planned = plan_findings(checked.policy) if checked.policy else ()
    return [*checked.diagnostics, *planned]


# --- policies no text file can hold

Build = Callable[[], list[Diagnostic]]
"""Writes what it needs into the working folder, which is empty, and says what was found there."""


def built(content: bytes, **params: ParamValue) -> Build:
    """A policy file with these bytes."""

    def build() -> list[Diagnostic]:
        Path("policy.guard").write_bytes(content)
        return findings("policy.guard", **params)

    return build


def a_folder() -> list[Diagnostic]:
    Path("support.guard").mkdir()
    return findings("support.guard")


_FITS = b"""guardkit 1
policy support
  owner "ai-risk@northbank.example"

param words_to_stop: list of text = ["acme"]
check rivals = words { list words_to_stop }
rule no_rivals { tier guidelines  on output  when rivals  then block "Let's stay with Northbank." }
test "a rival is not named" { output "Ask Acme."  expect block by no_rivals }
"""


_ROLLED = b"""guardkit 1
policy support
  owner "ai-risk@northbank.example"

use "std/secrets" version "1" as secrets
apply secrets.no_leak
check insults = words { list ["idiot", "moron"] }
check rivals = words { list ["acme"] }
rule no_abuse { tier safety  on input, output  when insults  then block "No insults, please." }
rule no_rivals { tier guidelines  on output  when rivals  then block "Let's stay with Northbank." }
test "an insult and a rival" {
  output "Ask Acme, you idiot."
  expect block by no_abuse, no_rivals, secrets.no_leak
}
"""


def rolled(overlay: str | bytes) -> Build:
    """A policy that is deployed with an overlay."""

    def build() -> list[Diagnostic]:
        Path("support.guard").write_bytes(_ROLLED)
        content = overlay if isinstance(overlay, bytes) else overlay.encode()
        Path("north.toml").write_bytes(content)
        checked = compile_file("support.guard", std=STD, today=TODAY, overlay="north.toml")
        planned = plan_findings(checked.policy) if checked.policy else ()
        return [*checked.diagnostics, *planned]

    return build


def loaded(edit: Callable[[str], str]) -> Build:
    """A saved plan that was changed by hand."""

    def build() -> list[Diagnostic]:
        Path("support.guard").write_bytes(_FITS)
        policy = compile_file("support.guard", std=STD, today=TODAY).policy
        assert policy is not None
        with pytest.raises(PlanError) as raised:
            from_json(edit(to_json(lower(policy, CATALOG))), "support.plan.json")
        return list(raised.value.diagnostics)

    return build


BUILT: dict[str, Build] = {
    "GK122-too-large": built(b"guardkit 1\npolicy p\n" + b"# a long list\n" * 80_000),
    "GK122-too-large-in-bytes": built(b"#" * 4_000_001),
    "GK124-not-utf8": built('guardkit 1\npolicy p\n  title "Grüße"\n'.encode("latin-1")),
    "GK124-not-utf8-utf-16": built("guardkit 1\npolicy p\n".encode("utf-16")),
    "GK125-unreadable-file": lambda: findings("suport.guard"),
    "GK125-unreadable-file-folder": a_folder,
    "GK126-binary-file": built(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"),
    "GK127-empty-file": built(b""),
    "GK218-parameter-type-from-outside": built(_FITS, words_to_stop=[3]),
    "GK307-bad-plan": loaded(lambda saved: saved.replace('"enforce"', '"shadow"')),
    "GK307-bad-plan-damaged": loaded(lambda saved: saved[: len(saved) // 2]),
    "GK307-bad-plan-newer": loaded(lambda saved: saved.replace('plan": 1', 'plan": 99', 1)),
    "GK307-bad-plan-other-file": loaded(lambda saved: '{"tools": []}'),
    "GK119-invisible-character-in-overlay": rolled("[rules]\nno_\u200babuse = 'shadow'\n"),
    "GK122-too-large-overlay": rolled("# north\n" * 32_001),
    "GK124-not-utf8-overlay": rolled("# süd\n[rules]\n".encode("latin-1")),
    "GK202-unknown-rule-in-overlay": rolled(
        '[rules]\nno_rival = "shadow"\n\n[weaken]\nallow = ["no_abuses"]\n'
    ),
    "GK208-duplicate-name-in-overlay": rolled(
        '[rules]\n"secrets.no_leak" = "enforce"\nsecrets.no_leak = "enforce"\n'
    ),
    "GK248-no-active-rules-in-overlay": rolled(
        '[rules]\nno_rivals = "retired"\nno_abuse = "retired"\nsecrets.no_leak = "retired"\n'
        '\n[weaken]\nallow = ["no_abuse", "secrets.no_leak"]\n'
    ),
    "GK249-all-shadow-in-overlay": rolled(
        '[rules]\nno_rivals = "retired"\nno_abuse = "shadow"\nsecrets.no_leak = "shadow"\n'
        '\n[weaken]\nallow = ["no_abuse", "secrets.no_leak"]\n'
    ),
    "GK262-unknown-choice-in-overlay": rolled('[rules]\nno_rivals = "shadwo"\n'),
    "GK266-out-of-range-in-overlay": rolled('[rules]\nno_rivals = "0%"\nno_abuse = "150%"\n'),
    "GK278-unknown-override": built(_FITS, word_to_stop=["acme"]),
    "GK281-bad-overlay": rolled('[rule]\nno_rivals = "shadow"\n'),
    "GK281-bad-overlay-deep": rolled("[rules]\n" + "a." * 16 + 'a = "shadow"\n'),
    "GK281-bad-overlay-empty": rolled(b""),
    "GK281-bad-overlay-long-line": rolled("[rules]\n# " + "north " * 200 + "\n"),
    "GK281-bad-overlay-no-list": rolled('[rules]\n\n[weaken]\nallow = "no_abuse"\n'),
    "GK281-bad-overlay-no-table": rolled('rules = "shadow"\nweaken = ["no_abuse"]\n'),
    "GK281-bad-overlay-no-text": rolled("[rules]\nno_rivals = 10\nno_abuse = {}\n"),
    "GK281-bad-overlay-no-toml": rolled("[rules]\nno_rivals = shadow\n"),
    "GK281-bad-overlay-not-closed": rolled('[rules]\n\n[weaken]\nallow = ["no_abuse"'),
    "GK281-bad-overlay-nested": rolled("[rules]\nno_rivals = [" + "[\n" * 3_000),
    "GK282-overlay-weakens": rolled('[rules]\nno_abuse = "shadow"\nno_rivals = "shadow"\n'),
    "GK282-overlay-weakens-a-share": rolled('[rules]\nno_abuse = "99.5%"\n'),
    "GK283-unused-permission": rolled(
        '[rules]\nno_abuse = "enforce"\n\n[weaken]\nallow = ["no_rivals", "no_abuse"]\n'
    ),
}


# --- the cases


@pytest.fixture
def found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Diagnostic]:
    # Paths are shown as they are given, so a case is compiled by its bare file name.
    if name in BUILT:
        monkeypatch.chdir(tmp_path)
        return BUILT[name]()
    monkeypatch.chdir(FOLDER)
    return findings(f"{name}.guard")


every_case = pytest.mark.parametrize("name", sorted([*INPUTS, *BUILT]))


@every_case
def test_the_findings_are_as_expected(
    name: str, found: list[Diagnostic], golden: Callable[[Path, str], None]
) -> None:
    golden(FOLDER / f"{name}.txt", render(found, "full"))


@every_case
def test_every_error_is_of_the_code_the_case_is_named_after(
    name: str, found: list[Diagnostic]
) -> None:
    ids = {diagnostic.code.id for diagnostic in found}
    if name.startswith("many-"):
        assert len(ids) > 2
        return
    code = code_of(name)
    assert code.id in ids
    # One mistake, one finding: what follows from it is not said again.
    assert {d.code.id for d in found if d.is_error} <= {code.id}


@every_case
def test_every_place_lies_inside_its_file(found: list[Diagnostic]) -> None:
    for diagnostic in found:
        places = [diagnostic.place, *(label.place for label in diagnostic.labels)]
        if diagnostic.fix:
            places.extend(edit.place for edit in diagnostic.fix.edits)
        assert [place for place in places if not is_inside(place)] == []


def is_inside(place: Place) -> bool:
    return 0 <= place.span.start <= place.span.end <= len(place.source.text)


@every_case
def test_the_words_keep_the_house_style(found: list[Diagnostic]) -> None:
    for diagnostic in found:
        assert _MESSAGE.fullmatch(diagnostic.message), diagnostic.message
        lines = (diagnostic.message, diagnostic.note, *diagnostic.help)
        lines += tuple(label.text for label in diagnostic.labels)
        for line in lines:
            assert "\n" not in line
            assert line.count("`") % 2 == 0, line
            assert not line.endswith("."), line


def code_of(name: str) -> Code:
    """The code a case is named after: `GK201-unknown-check-in-module` is a case of GK201."""
    match = _NAMED.fullmatch(name)
    assert match is not None, f"`{name}` is not named after a code"
    code = next((code for code in CODES.values() if code.id == match[1]), None)
    assert code is not None, f"there is no code {match[1]}"
    assert f"{match[2]}-".startswith(f"{code.slug}-"), f"{code.id} is called {code.slug}"
    return code


# --- the folder


def test_every_code_has_a_case() -> None:
    shown = {code_of(name).id for name in [*INPUTS, *BUILT] if not name.startswith("many-")}
    assert [f"{c.id} {c.slug}" for c in CODES.values() if c.id not in shown] == []


def test_every_expectation_has_its_input() -> None:
    expected = {path.stem for path in FOLDER.glob("*.txt")}
    assert expected - {*INPUTS, *BUILT} == set()


def test_no_case_stands_twice() -> None:
    assert set(INPUTS) & set(BUILT) == set()
