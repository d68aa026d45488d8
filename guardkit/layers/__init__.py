"""Which layer of a deployment stopped, refused, answered or failed: probes and attribution."""

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader

if TYPE_CHECKING:
    from ._deployment import Asked, Deployment, Exchanged, asked
    from ._models import Model, Server, ServerError, model_of, named_model, says

__all__ = [
    "Asked",
    "Deployment",
    "Exchanged",
    "Model",
    "Server",
    "ServerError",
    "asked",
    "model_of",
    "named_model",
    "says",
]

__getattr__ = loader(
    __name__,
    {
        "_deployment": ("Asked", "Deployment", "Exchanged", "asked"),
        "_models": ("Model", "Server", "ServerError", "model_of", "named_model", "says"),
    },
)
