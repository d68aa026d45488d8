"""Every code has a page, and what it shows is true: its wrong policy is refused, its right one not.

A block may leave out what does not matter; `complete` adds the header, a rule where there is none,
and the declarations of `PANTRY` for the names it asks but does not declare. Some marks steer it:

- `# file: words.txt` begins another file, `# file: policy.guard` goes back to the policy;
- `# as it stands` on the first line: nothing is added;
- `⟨U+200B⟩` stands for the character itself, which no reader of the page could see.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

import guardkit.diagnostics
from guardkit.diagnostics import CODES, Code, render
from guardkit.guard import compile_file, plan_findings
from guardkit.types import SURFACES

PAGES = Path(guardkit.diagnostics.__file__).parent / "pages"
SAMPLES = Path(__file__).parents[1] / "samples"
TODAY = date(2026, 11, 21)

HEADINGS = ("What it means", "Why it matters", "Wrong", "Right")
SHOWN_AS_TEXT = frozenset(
    # Files that cannot be read, files too large for a page, mistakes made outside the policy.
    {"GK122", "GK123", "GK124", "GK125", "GK126", "GK127", "GK278", "GK306", "GK307", "GK424"}
    | {"GK281", "GK282", "GK283"}  # a file beside the policy
    | {"GK279", "GK430"}  # two hundred lines, a text of 600 characters
)

PANTRY = {
    "advice": 'check advice = classifier { model mini  head "advice" }',
    "injection": 'use "std/injection" version "1" as injection',
    "joke": 'check joke = words { list ["just kidding"] }',
    "pii": 'use "std/pii" version "1" as pii',
    "refusal": 'use "std/refusal" version "1" as refusal',
    "rude": 'check rude = words { list ["idiot", "moron"] }',
    "secrets": 'use "std/secrets" version "1" as secrets',
    "threat": 'check threat = words { list ["hurt you"] }',
    "tool": 'use tools "tools.json" as tool',
    "toxicity": 'use "std/toxicity" version "1" as toxicity',
    "no_abuse": 'rule no_abuse { tier ethics  on output  when rude  then block "No." }',
}
FILLER = """
check page_words = words { list ["something to find"] }
rule page_rule { tier safety  on output  when page_words  then block "No." }
test "the page" { output "something to find"  expect block by page_rule }
"""

_BLOCK = re.compile(r"^```(guard|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^# file: (\S+)\n", re.MULTILINE)
_TEXTS = re.compile(r'"(?:\\.|[^"\\\n])*"|#[^\n]*')
_CHARACTER = re.compile(r"⟨U\+([0-9A-F]{4,6})⟩")

every_code = pytest.mark.parametrize("code", CODES.values(), ids=lambda code: code.id)
every_shown = pytest.mark.parametrize(
    "code", [c for c in CODES.values() if c.id not in SHOWN_AS_TEXT], ids=lambda code: code.id
)


def page_of(code: Code) -> str:
    path = PAGES / f"{code.id}.md"
    assert path.is_file(), f"{code.id} {code.slug} has no page"
    return path.read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0].strip()


def blocks_of(page: str, heading: str) -> list[tuple[str, str]]:
    return [(m[1], m[2]) for m in _BLOCK.finditer(section(page, heading))]


def files_of(block: str) -> dict[str, str]:
    """The files a block shows by name; what stands before any marker is the policy."""
    parts = ["policy.guard", *_FILE.split(block)]
    files: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        files[name] = files.get(name, "") + text
    return files


def complete(text: str) -> str:
    """A policy made of a block that leaves out what does not matter."""
    text = _CHARACTER.sub(lambda match: chr(int(match[1], 16)), text)
    if text.startswith("# as it stands\n"):
        return text
    has = set(re.findall(r"^(\w+)", text, re.MULTILINE))
    head = "" if "guardkit" in has else "guardkit 1\n"
    if not {"policy", "module"} & has:
        head += 'policy page\n  owner "ai-risk@northbank.example"\n'
    added = [] if {"rule", "apply", "module"} & has else [FILLER]
    # Twice: what the pantry gives may ask for more of it.
    for _ in range(2):
        whole = _TEXTS.sub('""', "\n".join([text, *added]))
        words = set(re.findall(r"(?<![\w.])\w+", whole)) - _declared(whole)
        added += [PANTRY[word] for word in sorted(words & set(PANTRY))]
    return head + "\n".join([text, *added])


def _declared(text: str) -> set[str]:
    named = re.findall(r"^(?:check|rule|param|window|sequence|principle)\s+(\w+)", text, re.M)
    return {*named, *re.findall(r"\bas\s+(\w+)", text)}


def ids_in(block: str, folder: Path) -> tuple[set[str], str]:
    """The codes found in a block, and how they are shown."""
    folder.mkdir()
    (folder / "tools.json").write_text((SAMPLES / "tools" / "mcp-tools.json").read_text())
    for name, text in files_of(block).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(complete(text) if name == "policy.guard" else text, encoding="utf-8")
    checked = compile_file(folder / "policy.guard", std=SAMPLES / "std", today=TODAY)
    found = [*checked.diagnostics, *(plan_findings(checked.policy) if checked.policy else ())]
    shown = render(found, "full", width=120)
    return {diagnostic.code.id for diagnostic in found}, shown


@every_code
def test_a_page_has_its_headings_in_order_and_text_under_each(code: Code) -> None:
    page = page_of(code)
    title, blank, claim, *_ = page.splitlines()
    assert (title, blank) == (f"# {code.id} {code.slug}", "")
    assert re.fullmatch(r"[A-Z`].{10,98}\.", claim), claim
    assert tuple(re.findall(r"^## (.*)$", page, re.MULTILINE)) == HEADINGS
    assert all(section(page, heading) for heading in HEADINGS)


@every_code
def test_a_page_is_short(code: Code) -> None:
    lines = page_of(code).splitlines()
    assert 12 <= len(lines) <= 30
    assert max(map(len, lines)) <= 100


@every_code
def test_wrong_and_right_are_shown_as_policies(code: Code) -> None:
    page = page_of(code)
    kind = "text" if code.id in SHOWN_AS_TEXT else "guard"
    for heading in ("Wrong", "Right"):
        assert [found for found, _ in blocks_of(page, heading)] == [kind]


@every_shown
def test_the_wrong_policy_is_refused_for_this_reason(code: Code, tmp_path: Path) -> None:
    ((_, block),) = blocks_of(page_of(code), "Wrong")
    found, shown = ids_in(block, tmp_path / "wrong")
    assert code.id in found, shown
    errors = {one.id for one in CODES.values() if one.level == "error"}
    assert found & errors <= {code.id}, shown


@every_shown
def test_the_right_policy_compiles_without_it(code: Code, tmp_path: Path) -> None:
    ((_, block),) = blocks_of(page_of(code), "Right")
    found, shown = ids_in(block, tmp_path / "right")
    errors = {one.id for one in CODES.values() if one.level == "error"}
    assert not found & {code.id, *errors}, shown


def test_no_page_is_left_over() -> None:
    assert {path.stem for path in PAGES.glob("*")} == {code.id for code in CODES.values()}


def test_the_pantry_hides_no_word_of_the_language() -> None:
    assert not set(PANTRY) & {*SURFACES, "rule", "check", "test", "block", "flag"}
