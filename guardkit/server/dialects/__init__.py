"""The ways to ask a model that the proxy speaks."""

from ._asked import Asked
from ._chat import Chat
from ._completions import Completions
from ._dialect import Dialect, Event, Events, Family, Refused, Send, Unreadable, fault_body
from ._embeddings import Embeddings
from ._messages import Messages
from ._reading import without_odds
from ._responses import Responses

DIALECTS: tuple[Dialect, ...] = (Chat(), Responses(), Completions(), Embeddings(), Messages())

__all__ = [
    "DIALECTS",
    "Asked",
    "Dialect",
    "Event",
    "Events",
    "Family",
    "Refused",
    "Send",
    "Unreadable",
    "fault_body",
    "without_odds",
]
