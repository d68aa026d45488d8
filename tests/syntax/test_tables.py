"""The parse tables: as stored, as built, and what the parser does with them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import lark
import pytest

from guardkit.syntax import _tables, build_tables
from guardkit.syntax._machine import UnexpectedTokenError, UnknownCharacterError

TESTS = Path(__file__).parent.parent
TEXTS = [path.read_bytes().decode() for path in sorted(TESTS.glob("samples/*.guard"))]
TEXTS += [path.read_bytes().decode() for path in sorted(TESTS.glob("golden/format/*.guard"))]


@pytest.fixture
def fresh_parser():  # type: ignore[no-untyped-def]  # a generator of nothing
    _tables.parser.cache_clear()
    yield
    _tables.parser.cache_clear()


def test_stored_tables_are_the_grammar_s() -> None:
    stored = _tables.TABLES.read_text(encoding="utf-8")
    assert stored == build_tables(), "run `python -m guardkit.syntax`"


def test_tables_do_not_depend_on_hash_seeds() -> None:
    code = "from guardkit.syntax import build_tables; print(hash(()) and build_tables(), end='')"
    built = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert built == {_tables.TABLES.read_text(encoding="utf-8")}


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """Lark resolves shift/reduce conflicts silently, and only says so when debugging."""
    lark.logger.setLevel(logging.DEBUG)
    lark.logger.propagate = True
    try:
        with caplog.at_level(logging.DEBUG):
            lark.Lark(
                _tables.grammar_text(), parser="lalr", lexer="basic", debug=True, strict=False
            )
    finally:
        lark.logger.setLevel(logging.CRITICAL)
    assert not [record for record in caplog.records if "conflict" in record.getMessage().lower()]


@pytest.mark.usefixtures("fresh_parser")
def test_the_parser_is_made_once() -> None:
    assert _tables.parser() is _tables.parser()
    assert _tables.parser.cache_info().misses == 1


@pytest.mark.usefixtures("fresh_parser")
@pytest.mark.parametrize("stored", [None, "", "{", "[]", "{}", '{"grammar": "of another day"}'])
def test_tables_that_do_not_fit_are_built(
    stored: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tables.json"
    if stored is not None:
        path.write_text(stored, encoding="utf-8")
    monkeypatch.setattr(_tables, "TABLES", path)
    made = _tables.parser()
    text = TEXTS[0]
    monkeypatch.undo()
    _tables.parser.cache_clear()
    at = text.index("rule ")
    end = text.index("\n\n", at)
    assert made.parse(text, at, end) == _tables.parser().parse(text, at, end)


@pytest.mark.usefixtures("fresh_parser")
def test_another_grammar_is_not_read_with_these_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = _tables.grammar_text().replace('"tiers" name', '"ranks" name')
    monkeypatch.setattr(_tables, "grammar_text", lambda: changed)
    found = _tables.parser()
    assert "ranks" in found.written.values()
    assert "tiers" not in found.written.values()


def test_a_process_that_parses_does_not_import_lark() -> None:
    code = (
        "import sys; from guardkit.syntax import parse; from guardkit.diagnostics import Source; "
        "parse(Source('p', 'guardkit 1\\npolicy p\\n')); sys.exit('lark' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


@pytest.mark.usefixtures("fresh_parser")
def test_loading_is_quick() -> None:
    best = min(_load_time() for _ in range(5))
    assert best < 0.1  # some 5 ms on the machine this was written on


def _load_time() -> float:
    _tables.parser.cache_clear()
    started = time.process_time()
    _tables.parser()
    return time.process_time() - started


def test_tables_are_plain_and_small() -> None:
    assert isinstance(json.loads(_tables.TABLES.read_text(encoding="utf-8")), dict)
    assert _tables.TABLES.stat().st_size < 150_000


# --- lark itself as the reference


@pytest.fixture(scope="module")
def reference() -> lark.Lark:
    return lark.Lark(
        _tables.grammar_text(),
        parser="lalr",
        lexer="basic",
        keep_all_tokens=True,
        maybe_placeholders=False,
    )


def pieces() -> list[str]:
    whole = [part for text in TEXTS for part in text.split("\n\n")]
    # And the same with a piece cut out, most of which do not parse.
    cut = [part[:at] + part[at + 3 :] for part in whole for at in range(0, len(part), 17)]
    return [*whole, *cut]


def judged_by_lark(reference: lark.Lark, piece: str) -> object:
    """The tokens, or where the first bad character stands; and what the parser stumbles over."""
    try:
        tokens = [(t.type, str(t), t.start_pos) for t in reference.lex(piece)]
    except lark.exceptions.UnexpectedCharacters as error:
        return error.pos_in_stream
    try:
        reference.parse(piece)
    except lark.exceptions.UnexpectedToken as error:
        return tokens, error.token.type, frozenset(error.accepts or ())
    return tokens, None, None


def judged_by_machine(piece: str) -> object:
    machine = _tables.parser()
    try:
        tokens = [(t.kind, t.text, t.start) for t in machine.tokens(piece, 0, len(piece))]
    except UnknownCharacterError as error:
        return error.at
    try:
        machine.parse(piece, 0, len(piece))
    except UnexpectedTokenError as error:
        return tokens, error.token.kind, error.accepted
    return tokens, None, None


def test_tokens_and_verdicts_are_lark_s(reference: lark.Lark) -> None:
    found = [judged_by_machine(piece) for piece in pieces()]
    assert found == [judged_by_lark(reference, piece) for piece in pieces()]
    accepted = sum(isinstance(one, tuple) and one[1] is None for one in found)
    assert 100 < accepted < len(found) - 100
