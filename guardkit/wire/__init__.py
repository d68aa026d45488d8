"""How models are asked over HTTP: what of it is judged, and how what was judged is said."""

from ._asked import Asked, since
from ._chat import Chat
from ._completions import Completions
from ._dialect import Dialect, Event, Family, Refused, Send, Unreadable, awaited, fault_body
from ._embeddings import Embeddings
from ._fault import EVENTS, JSON, Fault, Headers
from ._json import check_content, read_json, write_json
from ._messages import Messages
from ._responses import Responses
from ._sse import BrokenStream, EventReader, event_bytes
from ._translator import Cut, Translator
from ._unknown_field import UnknownField, field_of

DIALECTS: tuple[Dialect, ...] = (Chat(), Responses(), Completions(), Embeddings(), Messages())

__all__ = [
    "DIALECTS",
    "EVENTS",
    "JSON",
    "Asked",
    "BrokenStream",
    "Cut",
    "Dialect",
    "Event",
    "EventReader",
    "Family",
    "Fault",
    "Headers",
    "Refused",
    "Send",
    "Translator",
    "UnknownField",
    "Unreadable",
    "awaited",
    "check_content",
    "event_bytes",
    "fault_body",
    "field_of",
    "read_json",
    "since",
    "write_json",
]
