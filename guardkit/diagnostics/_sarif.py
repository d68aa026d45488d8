"""Diagnostics as a SARIF 2.1.0 log, for code scanning."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote

from ._codes import Code
from ._diagnostic import Diagnostic, Edit, Fix
from ._shown import visible
from ._source import Place

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

# The format is deep and loosely typed; the tests hold it against the published schema.
_Object = dict[str, Any]


def sarif_text(diagnostics: Sequence[Diagnostic], *, version: str = "") -> str:
    """A log with one run; the rules are those that were found, by id."""
    rules = sorted({d.code.id: d.code for d in diagnostics}.values(), key=lambda code: code.id)
    index = {code.id: number for number, code in enumerate(rules)}
    driver: _Object = {"name": "guardkit"}
    if version:
        driver["version"] = version
    driver["rules"] = [_rule(code) for code in rules]
    results = [
        _result(diagnostic, index[diagnostic.code.id], fingerprint)
        for diagnostic, fingerprint in zip(diagnostics, fingerprints(diagnostics), strict=True)
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def fingerprints(diagnostics: Iterable[Diagnostic]) -> list[str]:
    """A name for each finding that survives edits elsewhere: its code, its line, and which one.

    Equal lines with equal findings are told apart by counting them within their file.
    """
    seen: Counter[tuple[str, str]] = Counter()
    names: list[str] = []
    for diagnostic in diagnostics:
        source = diagnostic.place.source
        line = source.line(diagnostic.place.start.line).strip()
        content = f"{diagnostic.code.id}\0{line}".encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(content).hexdigest()[:16]
        seen[source.path, digest] += 1
        names.append(f"{digest}:{seen[source.path, digest]}")
    return names


def relative_uri(path: str) -> str:
    """A path as a percent-encoded URI with forward slashes; an absolute one begins with `file:`."""
    posix = path.replace("\\", "/")
    drive = len(posix) > 2 and posix[0].isalpha() and posix[1:3] == ":/"
    normal = posixpath.normpath(posix) if posix else ""
    encoded = quote(normal.encode("utf-8", "surrogatepass"), safe="/")
    if drive:
        return f"file:///{normal[0]}:{encoded[4:]}"
    return "file:///" + encoded.lstrip("/") if posix.startswith("/") else encoded


def _rule(code: Code) -> _Object:
    title = code.title[:1].upper() + code.title[1:] + "."
    return {
        "id": code.id,
        "name": code.slug,
        "shortDescription": {"text": title},
        "help": {"text": f"Run `guardkit explain {code.id}` for the reasons and an example."},
        "defaultConfiguration": {"level": code.level},
    }


def _result(diagnostic: Diagnostic, rule_index: int, fingerprint: str) -> _Object:
    help_lines = [line for text in diagnostic.help for line in text.splitlines()]
    result: _Object = {
        "ruleId": diagnostic.code.id,
        "ruleIndex": rule_index,
        "level": diagnostic.level,
        "message": _message("\n".join([visible(diagnostic.message), *map(visible, help_lines)])),
        "locations": [{"physicalLocation": _location(diagnostic.place)}],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    }
    if diagnostic.labels:
        result["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _location(label.place),
                "message": _message(visible(label.text)),
            }
            for number, label in enumerate(diagnostic.labels, 1)
        ]
    if diagnostic.fix and diagnostic.fix.edits:
        result["fixes"] = [_fix(diagnostic.fix)]
    return result


def _message(text: str) -> _Object:
    return {"text": text}


def _location(place: Place) -> _Object:
    return {
        "artifactLocation": {"uri": relative_uri(place.source.path)},
        "region": _region(place),
    }


def _region(place: Place) -> _Object:
    start, end = place.start, place.end
    return {
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    }


def _fix(fix: Fix) -> _Object:
    ordered = sorted(fix.edits, key=lambda edit: (edit.place.source.path, edit.place.span))
    return {
        "description": _message(visible(fix.title)),
        "artifactChanges": [
            {
                "artifactLocation": {"uri": relative_uri(path)},
                "replacements": [_replacement(edit) for edit in edits],
            }
            for path, edits in groupby(ordered, key=lambda edit: edit.place.source.path)
        ],
    }


def _replacement(edit: Edit) -> _Object:
    replacement: _Object = {"deletedRegion": _region(edit.place)}
    if edit.replacement:
        replacement["insertedContent"] = {"text": edit.replacement}
    return replacement
