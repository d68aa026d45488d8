"""Which layer of a deployment stopped, refused, answered or failed: probes and attribution."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._attribute import aattribute, attribute, most_runs
    from ._attribute_all import Kept, aattribute_all, attribute_all
    from ._attribution import Attribution, Effect, Ending, Evidence
    from ._compare_probe import Change, Compared, Earlier
    from ._crew import CrewError, cores
    from ._deployment import Asked, Deployment, Exchanged, asked
    from ._ended import Ended, Target
    from ._exchanges import ExchangeRow, exchanges_of, file_digest
    from ._figures import Adaptive, By, Cell, Figures, LayerFigures, ProbeGroup, Rate, Times, Worst
    from ._html_attribute import attribution_html
    from ._html_probe import probe_html
    from ._models import Model, Server, ServerError, model_of, named_model, says
    from ._probe import Probe
    from ._setting import Setting
    from ._suites import BrokenCase, Family, ProbeCase, Suite, load_suite, shipped_families
    from ._summary import Group, Summary, Unread
    from ._trials import Choice, Trial, Trials, chosen_disguises, chosen_splits

__all__ = [
    "Adaptive",
    "Asked",
    "Attribution",
    "BrokenCase",
    "By",
    "Cell",
    "Change",
    "Choice",
    "Compared",
    "CrewError",
    "Deployment",
    "Earlier",
    "Effect",
    "Ended",
    "Ending",
    "Evidence",
    "ExchangeRow",
    "Exchanged",
    "Family",
    "Figures",
    "Group",
    "Kept",
    "LayerFigures",
    "Model",
    "Probe",
    "ProbeCase",
    "ProbeGroup",
    "Rate",
    "Server",
    "ServerError",
    "Setting",
    "Suite",
    "Summary",
    "Target",
    "Times",
    "Trial",
    "Trials",
    "Unread",
    "Worst",
    "aattribute",
    "aattribute_all",
    "asked",
    "attribute",
    "attribute_all",
    "attribution_html",
    "chosen_disguises",
    "chosen_splits",
    "cores",
    "exchanges_of",
    "file_digest",
    "load_suite",
    "model_of",
    "most_runs",
    "named_model",
    "probe_html",
    "says",
    "shipped_families",
]

__getattr__ = loader(
    __name__,
    {
        "_compare_probe": (
            "Change",
            "Compared",
            "Earlier",
        ),
        "_crew": (
            "CrewError",
            "cores",
        ),
        "_ended": (
            "Ended",
            "Target",
        ),
        "_figures": (
            "Adaptive",
            "By",
            "Cell",
            "Figures",
            "LayerFigures",
            "ProbeGroup",
            "Rate",
            "Times",
            "Worst",
        ),
        "_probe": ("Probe",),
        "_setting": ("Setting",),
        "_suites": (
            "BrokenCase",
            "Family",
            "ProbeCase",
            "Suite",
            "load_suite",
            "shipped_families",
        ),
        "_trials": (
            "Choice",
            "Trial",
            "Trials",
            "chosen_disguises",
            "chosen_splits",
        ),
        "_attribute": (
            "aattribute",
            "attribute",
            "most_runs",
        ),
        "_attribute_all": (
            "Kept",
            "aattribute_all",
            "attribute_all",
        ),
        "_attribution": (
            "Attribution",
            "Effect",
            "Ending",
            "Evidence",
        ),
        "_summary": (
            "Group",
            "Summary",
            "Unread",
        ),
        "_exchanges": (
            "ExchangeRow",
            "exchanges_of",
            "file_digest",
        ),
        "_html_attribute": ("attribution_html",),
        "_html_probe": ("probe_html",),
        "_deployment": ("Asked", "Deployment", "Exchanged", "asked"),
        "_models": ("Model", "Server", "ServerError", "model_of", "named_model", "says"),
    },
)
