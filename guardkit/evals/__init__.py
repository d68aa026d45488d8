"""Policies and modules measured on labelled texts: figures with intervals, reports."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._answers import Unjudged
    from ._cases import Case, CaseFiles, Sample
    from ._evaluate import Confusion, Evaluation, Line, Subject, evaluate
    from ._html import as_html
    from ._label import Labels
    from ._module import guard_for, module_plan
    from ._numbers import AtRate, Counts, Estimate, Histogram, Point, Prices, Scored, scored
    from ._plain import as_dict

__all__ = [
    "AtRate",
    "Case",
    "CaseFiles",
    "Confusion",
    "Counts",
    "Estimate",
    "Evaluation",
    "Histogram",
    "Labels",
    "Line",
    "Point",
    "Prices",
    "Sample",
    "Scored",
    "Subject",
    "Unjudged",
    "as_dict",
    "as_html",
    "evaluate",
    "guard_for",
    "module_plan",
    "scored",
]

# The command line reads labels before it loads what judges.
__getattr__ = loader(
    __name__,
    {
        "_answers": ("Unjudged",),
        "_cases": ("Case", "CaseFiles", "Sample"),
        "_evaluate": ("Confusion", "Evaluation", "Line", "Subject", "evaluate"),
        "_html": ("as_html",),
        "_label": ("Labels",),
        "_module": ("guard_for", "module_plan"),
        "_numbers": (
            "AtRate",
            "Counts",
            "Estimate",
            "Histogram",
            "Point",
            "Prices",
            "Scored",
            "scored",
        ),
        "_plain": ("as_dict",),
    },
)
