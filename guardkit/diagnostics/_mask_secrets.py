"""Secrets a diagnostic has found, starred out before anything is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ._diagnostic import Diagnostic
from ._source import Place, Source, Span

_SECRET = "secret-in-policy"  # noqa: S105 - the slug of a diagnostic
_KEPT = 4


def mask_secrets(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The same findings over sources in which every reported secret is starred out.

    Offsets stay as they are, and other findings on the same line show the stars too.
    """
    secrets: dict[Source, list[Span]] = {}
    for diagnostic in diagnostics:
        if diagnostic.code.slug == _SECRET:
            secrets.setdefault(diagnostic.place.source, []).append(diagnostic.place.span)
    if not secrets:
        return list(diagnostics)
    masked = {source: _masked(source, spans) for source, spans in secrets.items()}

    def moved(place: Place) -> Place:
        return replace(place, source=masked.get(place.source, place.source))

    return [
        replace(
            diagnostic,
            place=moved(diagnostic.place),
            labels=tuple(replace(label, place=moved(label.place)) for label in diagnostic.labels),
            fix=diagnostic.fix
            and replace(
                diagnostic.fix,
                edits=tuple(replace(e, place=moved(e.place)) for e in diagnostic.fix.edits),
            ),
        )
        for diagnostic in diagnostics
    ]


def _masked(source: Source, spans: Sequence[Span]) -> Source:
    chars = list(source.text)
    for start, end in spans:
        # The beginning tells the owner which secret it is and gives nothing away.
        for index in range(start + _KEPT, min(end, len(chars))):
            if chars[index].isalnum():
                chars[index] = "*"
    return Source(source.path, "".join(chars))
