"""Where names come from, where they are used, and which renames are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardkit.editor import Document, Refused, Workspace, definition, references, rename
from guardkit.guard import compile_text
from guardkit.semantics import CheckedPolicy

from ._desk import HEAD, desk, opened

MORE = """
rule mask_private {
  tier safety
  on   output
  when pii.any or rude.words
  then rewrite matches as "[{label}]"
}

rule calmer {
  tier guidelines
  on   output
  when near >= 0.9 and not sequence_like
  then revise by calm at most 2 else block "Please stay calm."
}

check sequence_like = repetition { max 3 }

rule closes {
  tier safety
  on   conversation
  when repeats >= 2
  then block "Closed: {rule}."
}

exempt no_rude {
  tier   safety
  owner  "me"
  reason "an exercise"
  until  2027-01-31
}

test "loop" for each word in ["blast"] {
  given  rude.words = yes
  given  near = 0.9
  input  word
  expect block by no_rude
}
"""
TEXT = HEAD + MORE


def at(text: str, needle: str, inside: int = 0) -> int:
    return text.index(needle) + inside


def words(document: Document, found: object) -> list[str]:
    return [place.document.text[slice(*place.span)] for place in found]  # type: ignore[attr-defined]


@pytest.fixture
def workspace() -> Workspace:
    return desk()


@pytest.mark.parametrize(
    ("use", "declaration"),
    [
        ("rude.words and", "check rude.words"),
        ("limit\n  then", "param limit"),
        ("no_rude last", "rule no_rude"),
        ("no_rude {\n  tier   safety\n  owner", "rule no_rude"),
        ("calm at most", "principle calm"),
        ("repeats >=", "window repeats"),
        ("pii.any", "as pii with"),
        ("word\n  expect", "word in"),
        ("hosts: list", "param hosts"),
    ],
)
def test_a_name_leads_to_its_declaration(workspace: Workspace, use: str, declaration: str) -> None:
    document = opened(workspace, TEXT)
    (place,) = definition(workspace, document, at(TEXT, use))
    wanted = at(TEXT, declaration)
    assert wanted <= place.span.start <= wanted + len(declaration)
    assert place.document is document


def test_a_name_of_a_module_leads_into_its_file(workspace: Workspace) -> None:
    document = opened(workspace, TEXT)
    (place,) = definition(workspace, document, at(TEXT, "pii.any", 5))
    assert place.document.path is not None
    assert place.document.path.as_posix().endswith("std/pii/pii.guard")
    assert words(document, [place]) == ["any"]
    (label,) = definition(workspace, document, at(TEXT, "entities:"))
    assert words(document, [label]) == ["entities"]
    (module,) = definition(workspace, document, at(TEXT, "std/pii"))
    assert module.document.path == place.document.path


def test_files_between_quotes_are_found_inside_the_folder_only(
    workspace: Workspace, tmp_path: Path
) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "words.txt").write_text("blast\n")
    (tmp_path / "secret.txt").write_text("x\n")
    text = HEAD + 'check a = words { file "words.txt" }\ncheck b = words { file "../secret.txt" }\n'
    document = opened(workspace, text, inside / "p.guard")
    (place,) = definition(workspace, document, at(text, "words.txt"))
    assert place.document.path == inside / "words.txt"
    assert definition(workspace, document, at(text, "secret.txt")) == ()


@pytest.mark.parametrize(
    ("name", "uses"),
    [
        ("rude.words", 4),
        ("limit:", 2),
        ("no_rude {", 4),
        ("calm {", 2),
        ("repeats {", 2),
        ("near =", 4),
        ("word in", 2),
    ],
)
def test_every_use_is_found(workspace: Workspace, name: str, uses: int) -> None:
    document = opened(workspace, TEXT)
    found = references(workspace, document, at(TEXT, name))
    assert len(found) == uses
    assert len(set(words(document, found))) == 1
    fewer = references(workspace, document, at(TEXT, name), declarations=False)
    assert len(fewer) == uses - 1


# --- renaming


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit:", "ceiling"),
        ("no_rude {", "stay_polite"),
        ("calm {", "quiet"),
        ("repeats {", "again"),
        ("near =", "close_by"),
        ("word in", "said"),
        ("pii with", "private"),
        ("rude.words =", "coarse.words"),
    ],
)
def test_a_rename_keeps_the_meaning(workspace: Workspace, old: str, new: str) -> None:
    document = opened(workspace, TEXT)
    made = rename(workspace, document, at(TEXT, old), new)
    spans = sorted((place.span for place in made.places), reverse=True)
    text, name = TEXT, TEXT[slice(*spans[0])]
    assert all(TEXT[slice(*span)] == name for span in spans)
    for start, end in spans:
        text = text[:start] + new + text[end:]
    before, after = policy_of(TEXT), policy_of(text)
    assert renamed(str(before), name, new) == renamed(str(after), name, new)
    assert before != after or name in ("word", "limit")


def policy_of(text: str) -> CheckedPolicy:
    checked = compile_text(text)
    assert checked.policy is not None, [d.message for d in checked.diagnostics]
    return checked.policy


def renamed(dump: str, old: str, new: str) -> list[str]:
    """A dump with both names as one, without the order that names give.

    The label of a check without one is its name in capitals: nobody writes it, else it is refused.
    """
    for name in (old, new):
        label = name.rsplit(".", 1)[-1].upper()
        dump = dump.replace(f"label='{label}'", "label='%'").replace(name, "%")
    return sorted(re.split(r"[(), ]+", dump))


@pytest.mark.parametrize(
    ("name", "new", "why"),
    [
        ("near =", "rude.words", "taken"),
        ("near =", "pii", "taken"),
        ("near =", "repeats", "taken"),
        ("near =", "pii.any", "module"),
        ("near =", "rule", "reserved"),
        ("near =", "Near", "not a name"),
        ("near =", "no way", "not a name"),
        ("near =", "", "not a name"),
        ("near =", "café", "not a name"),
        ("near =", "context.x", "reserved"),
        ("near =", "call.x", "meaning of its own"),
        ("no_rude {", "calmer", "taken"),
        ("closes {", "shuts", "{rule}"),
        ("rude.words =", "rude.terms", "{label}"),
        ("pii.any or", "x", ""),
        ("any or", "whatever", "ships with guardkit"),
        ("desk\n", "shop", "by hand"),
        ("tier safety", "x", "no name here"),
        ("limit:", "word", ""),
    ],
)
def test_what_would_change_the_meaning_is_refused(
    workspace: Workspace, name: str, new: str, why: str
) -> None:
    document = opened(workspace, TEXT)
    if not why:  # the alias of a module, a name only a test has: nothing changes
        assert rename(workspace, document, at(TEXT, name), new).places
        return
    with pytest.raises(Refused, match=why.replace("{", r"\{")):
        rename(workspace, document, at(TEXT, name), new)


def test_a_name_that_a_test_would_hide_is_refused(workspace: Workspace) -> None:
    text = TEXT.replace('for each word in ["blast"]', "for each word in said").replace(
        "param limit", 'param said: list of text = ["blast"]\nparam limit'
    )
    text += '\ntest "t" for each v in ["x"] {\n  input said\n  expect pass\n}\n'
    text = text.replace("input said", "input v")
    document = opened(workspace, text)
    assert rename(workspace, document, at(text, "said:"), "other").places
    shown = text.replace("  input  word", "  input  said")
    document = opened(workspace, shown)
    with pytest.raises(Refused, match="stands for something else"):
        rename(workspace, document, at(shown, "said:"), "word")


def test_a_broken_file_is_not_renamed_in(workspace: Workspace) -> None:
    text = TEXT + "\nrule {{{\n"
    document = opened(workspace, text)
    with pytest.raises(Refused, match="syntax error"):
        rename(workspace, document, at(text, "limit:"), "ceiling")


# --- across files

BANK = """\
guardkit 1
module bank
  version "1"

param floor: number = 2

check odd = repetition { max 4 }
rule no_odd { tier safety on output when odd then block "No." }
"""
SHOP = """\
guardkit 1
policy shop
use "./bank.guard" version "1" as bank with (floor: 3)
apply bank.no_odd
rule mine { tier safety on output when bank.odd then block "No." }
"""


def test_a_module_and_its_users_are_renamed_together(workspace: Workspace, tmp_path: Path) -> None:
    bank, shop, other = (tmp_path / f"{n}.guard" for n in ("bank", "shop", "other"))
    bank.write_text(BANK)
    other.write_text(SHOP.replace("policy shop", "policy other"))
    inside = opened(workspace, BANK, bank)
    opened(workspace, SHOP, shop)
    found = rename(workspace, inside, at(BANK, "odd ="), "strange").places
    by_file = {(p.document.path or Path()).name for p in found}
    assert by_file == {"bank.guard", "shop.guard", "other.guard"}
    assert len(found) == 4
    document = workspace.documents[shop.as_uri()]
    assert len(rename(workspace, document, at(SHOP, "no_odd"), "no_strange").places) == 3
    assert len(rename(workspace, document, at(SHOP, "floor"), "least").places) == 3
    with pytest.raises(Refused, match="taken"):
        rename(workspace, document, at(SHOP, "bank.odd", 5), "floor")


def test_an_open_module_goes_before_the_one_on_disk(workspace: Workspace, tmp_path: Path) -> None:
    bank, shop = tmp_path / "bank.guard", tmp_path / "shop.guard"
    bank.write_text(BANK.replace("odd", "even"))
    document = workspace.open(shop.as_uri(), 1, SHOP)
    first = workspace.check(document, workspace.library(document))
    assert any(d.code.slug in ("unknown-rule", "unknown-check") for d in first.diagnostics)
    opened(workspace, BANK, bank)
    second = workspace.check(document, workspace.library(document))
    assert not any(d.is_error for d in second.diagnostics)
    assert workspace.users(workspace.documents[bank.as_uri()]) == [document]
    (place,) = definition(workspace, document, at(SHOP, "no_odd"))
    assert place.document is workspace.documents[bank.as_uri()]


def test_a_module_that_was_never_saved_is_found(workspace: Workspace, tmp_path: Path) -> None:
    opened(workspace, BANK, tmp_path / "bank.guard")
    document = workspace.open((tmp_path / "shop.guard").as_uri(), 1, SHOP)
    checked = workspace.check(document, workspace.library(document))
    assert checked.policy is not None


def test_an_open_file_outside_the_folder_is_not_read(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    opened(workspace, BANK, tmp_path / "bank.guard")
    text = SHOP.replace("./bank.guard", "./../bank.guard")
    document = workspace.open((tmp_path / "in" / "shop.guard").as_uri(), 1, text)
    checked = workspace.check(document, workspace.library(document))
    assert [d.code.slug for d in checked.diagnostics][:1] == ["path-outside-root"]
