"""Diagnostics as a code quality report, which GitLab shows beside the lines of a change."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Sequence

from ._diagnostic import Diagnostic
from ._sarif import fingerprints
from ._shown import visible

_SEVERITIES = {"error": "critical", "warning": "minor", "note": "info"}


def gitlab_text(diagnostics: Sequence[Diagnostic]) -> str:
    """A list of findings, in plain ASCII. No two have one fingerprint, or one would be dropped."""
    named = zip(diagnostics, fingerprints(diagnostics), strict=True)
    return json.dumps([_issue(diagnostic, name) for diagnostic, name in named], indent=2)


def _issue(diagnostic: Diagnostic, name: str) -> dict[str, object]:
    path = _relative(diagnostic.place.source.path)
    message = "; ".join(visible(text) for text in (diagnostic.message, *diagnostic.help))
    return {
        "description": message,
        "check_name": f"{diagnostic.code.id} {diagnostic.code.slug}",
        # The name counts within its file: two files may hold the same line.
        "fingerprint": hashlib.sha256(f"{path}\0{name}".encode("utf-8", "replace")).hexdigest(),
        "severity": _SEVERITIES[diagnostic.level],
        "location": {
            "path": path,
            "lines": {
                "begin": diagnostic.place.start.line,
                "end": diagnostic.place.end.line,
            },
        },
    }


def _relative(path: str) -> str:
    """Without `./` in front, which is not found in a change."""
    posix = path.replace("\\", "/")
    return visible(posixpath.normpath(posix)) if posix else ""
