"""Which layer of a deployment stopped, refused, answered or failed: probes and attribution."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._attribute import aattribute, attribute, most_runs
    from ._attribute_all import Kept, aattribute_all, attribute_all
    from ._attribution import Attribution, Effect, Ending, Evidence, Group, Summary, Unread
    from ._deployment import Asked, Deployment, Exchanged, asked
    from ._exchanges import ExchangeRow, exchanges_of, file_digest
    from ._models import Model, Server, ServerError, model_of, named_model, says

__all__ = [
    "Asked",
    "Attribution",
    "Deployment",
    "Effect",
    "Ending",
    "Evidence",
    "ExchangeRow",
    "Exchanged",
    "Group",
    "Kept",
    "Model",
    "Server",
    "ServerError",
    "Summary",
    "Unread",
    "aattribute",
    "aattribute_all",
    "asked",
    "attribute",
    "attribute_all",
    "exchanges_of",
    "file_digest",
    "model_of",
    "most_runs",
    "named_model",
    "says",
]

__getattr__ = loader(
    __name__,
    {
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
            "Group",
            "Summary",
            "Unread",
        ),
        "_exchanges": (
            "ExchangeRow",
            "exchanges_of",
            "file_digest",
        ),
        "_deployment": ("Asked", "Deployment", "Exchanged", "asked"),
        "_models": ("Model", "Server", "ServerError", "model_of", "named_model", "says"),
    },
)
