"""`guardkit inspect`: what is in a bundle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from textwrap import wrap
from typing import Any, NamedTuple

import click

from guardkit.diagnostics import visible
from guardkit.guard import means_of
from guardkit.packs import (
    Bundle,
    changed_since,
    declarations_of,
    file_name,
    read_bundle,
    read_bytes,
)
from guardkit.syntax import ast

from ._bundles import ending, life_of, signers_of, told
from ._exits import CLEAN, FINDINGS, WRONG
from ._policies import STD
from ._screen import Screen, screen
from ._verbs import FORMAT, verb

_INDENT = 10


@verb("inspect")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--show", "shown", metavar="PATH", help="Write one of its files to standard output.")
@FORMAT
@STD
def command(file: Path, shown: str | None, format: str, std: Path | None) -> int:
    """Show what is in a bundle: files, dates, rules, tests, and who signed it.

    Nothing of it is run and nobody is trusted: whether a signature is that of somebody you trust,
    `guardkit verify` says. Patterns and examples are shown only with --show.

    Exits with 1 when FILE is no whole bundle or a signature is not genuine, 2 when it cannot be
    read.
    """
    show = screen()

    def run() -> int:
        with told(show):
            bundle = read_bundle(read_bytes(file))
            signers = signers_of(bundle)
        code = CLEAN if all(genuine for _, genuine in signers) else FINDINGS
        if shown is not None:
            return code if _show_file(show, bundle, shown) else WRONG
        others = changed_since(bundle.manifest, means_of(std=std).read)
        if format == "json":
            show.out.write(json.dumps(_json(bundle, signers, others), indent=2) + "\n")
        else:
            for line in _lines(show, bundle, signers, others):
                show.out.line(line)
        return code

    return ending(run)


def _show_file(show: Screen, bundle: Bundle, path: str) -> bool:
    """Write one file, if it is there."""
    content = bundle.files.get(path)
    if content is None:
        show.complain(f"there is no `{visible(path)}` in {bundle.shown}")
        return False
    if show.out.file.isatty():
        # A terminal obeys what is written to it.
        text = content.decode("utf-8", "replace")
        show.out.write("\n".join(visible(line) for line in text.splitlines()) + "\n")
    else:
        show.out.data(content.decode("utf-8", "surrogateescape"))
    return True


def _lines(
    show: Screen, bundle: Bundle, signers: list[tuple[str, bool]], others: tuple[str, ...]
) -> Iterator[str]:
    out, manifest = show.out, bundle.manifest
    yield f"{out.paint(bundle.shown, 'strong')}, a {manifest.kind}"
    rows: list[tuple[str, list[str]]] = []
    if manifest.title:
        rows.append(("title", [visible(manifest.title)]))
    rows.append(("dates", [life_of(manifest, date.today())]))
    rows.append(("digest", [manifest.digest]))
    signed = [
        f"{id} ({'genuine' if genuine else out.paint('not genuine', 'bad')})"
        for id, genuine in signers
    ]
    rows.append(("signed", signed or [out.paint("by nobody", "warn")]))
    widest = max(len(row.path) for row in manifest.files)
    rows.append(
        ("files", [f"{row.path:<{widest}}  {row.size:>9,} bytes" for row in manifest.files])
    )
    if manifest.std:
        told = f"{len(manifest.std)} shipped files"
        if others:
            told += f", {len(others)} of them different here: " + ", ".join(others)
        rows.append(("built on", [told]))
    said = declarations_of(bundle)
    rows.append(("rules", [_rule_line(block) for block in _blocks(said, "rule")]))
    rows.append(("says", [_name(block) for block in _blocks(said, "principle")]))
    kinds = Counter(node.kind.text for node in said if isinstance(node, ast.Check))
    counted = [f"{kind} {n}" if n > 1 else kind for kind, n in sorted(kinds.items())]
    rows.append(("checks", [", ".join(counted)] if counted else []))
    rows.append(("tests", [_test_line(node) for node in said if isinstance(node, ast.Test)]))
    for name, found in rows:
        for i, text in enumerate(found):
            head = f"  {name if i == 0 else '':<{_INDENT}}"
            # A digest is one word to copy; a line with colours is short, and they take no room.
            pieces = [text]
            if " " in text and "\x1b" not in text:
                pieces = wrap(text, out.width - len(head)) or [""]
            yield head + pieces[0]
            yield from (" " * len(head) + piece for piece in pieces[1:])


def _blocks(said: tuple[ast.Declaration, ...], kind: str) -> Iterator[ast.Block]:
    return (node for node in said if isinstance(node, ast.Block) and node.kind == kind)


def _name(block: ast.Block) -> str:
    return block.name.text if isinstance(block.name, ast.Name) else ""


class _Facts(NamedTuple):
    """What a rule says of itself in single words."""

    tier: str
    severity: str
    surfaces: list[str]
    action: str


def _facts(block: ast.Block) -> _Facts:
    words: dict[str, str] = {}
    surfaces: list[str] = []
    action = ""
    for clause in block.clauses:
        for value in clause.values:
            if isinstance(value, ast.Name):
                words[clause.word] = value.text
            elif isinstance(value, ast.Target):
                surfaces.append(value.surface.text)
            elif isinstance(value, ast.Action):
                action = value.verb
    return _Facts(words.get("tier", ""), words.get("severity", ""), surfaces, action)


def _rule_line(block: ast.Block) -> str:
    tier, severity, surfaces, action = _facts(block)
    words = ", ".join(filter(None, (tier, severity)))
    return f"{_name(block)}: {action} on {', '.join(surfaces)} ({words})"


def _cases(node: ast.Test) -> int:
    return len(node.cases.items) if isinstance(node.cases, ast.ListOf) else 1


def _test_line(node: ast.Test) -> str:
    many = _cases(node)
    return visible(str(node.title.value)) + (f" ({many} cases)" if many > 1 else "")


def _json(
    bundle: Bundle, signers: list[tuple[str, bool]], others: tuple[str, ...]
) -> dict[str, Any]:
    manifest, said = bundle.manifest, declarations_of(bundle)
    rules = []
    for block in _blocks(said, "rule"):
        tier, _, surfaces, action = _facts(block)
        rules.append({"name": _name(block), "then": action, "on": surfaces, "tier": tier})
    return {
        "file": file_name(bundle),
        "kind": manifest.kind,
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "issued": manifest.issued.isoformat(),
        "expires": None if manifest.expires is None else manifest.expires.isoformat(),
        "language": manifest.language,
        "digest": manifest.digest,
        "signatures": [{"key": id, "genuine": genuine} for id, genuine in signers],
        "files": [row._asdict() for row in manifest.files],
        "std": [
            {"path": path, "digest": digest, "same_here": path not in others}
            for path, digest in manifest.std
        ],
        "rules": rules,
        "principles": [_name(block) for block in _blocks(said, "principle")],
        "tests": [
            {"name": str(node.title.value), "cases": _cases(node)}
            for node in said
            if isinstance(node, ast.Test)
        ],
    }
