"""Sources, spans, diagnostics, codes and renderers: the one place that draws carets."""

from ._codes import CODES, Code, Level, code_by_id
from ._diagnostic import Diagnostic, Edit, Fix, Label, diagnose, did_you_mean, nearest
from ._json import JsonDiagnostic, to_json
from ._render import FORMATS, Format, render, summary
from ._shown import text_width, visible
from ._source import Place, Position, Source, Span

__all__ = [
    "CODES",
    "FORMATS",
    "Code",
    "Diagnostic",
    "Edit",
    "Fix",
    "Format",
    "JsonDiagnostic",
    "Label",
    "Level",
    "Place",
    "Position",
    "Source",
    "Span",
    "code_by_id",
    "diagnose",
    "did_you_mean",
    "nearest",
    "render",
    "summary",
    "text_width",
    "to_json",
    "visible",
]
