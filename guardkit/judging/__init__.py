"""Judges a request or a reply that somebody else sends, without a callable around it."""

from ._judging import Asking, Gone, Noted, Whose, judge_reply, judge_request
from ._litellm import NOT_JUDGED, PHASES, UNREADABLE, Answer, Asked, Replies, held_back
from ._tally import MOST_RECORDS, UNJUDGED, Tally

__all__ = [
    "MOST_RECORDS",
    "NOT_JUDGED",
    "PHASES",
    "UNJUDGED",
    "UNREADABLE",
    "Answer",
    "Asked",
    "Asking",
    "Gone",
    "Noted",
    "Replies",
    "Tally",
    "Whose",
    "held_back",
    "judge_reply",
    "judge_request",
]
