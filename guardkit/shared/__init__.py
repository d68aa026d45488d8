"""State that replicas share, in Redis: sessions, quotas, texts that wait for approval."""

from __future__ import annotations

from ._holds import RedisHolds
from ._keys import STATE_KEY, state_key
from ._quotas import MemoryQuotas, Quotas, RedisQuotas
from ._sessions import Busy, MemorySessions, RedisSessions, Turn, Turns
from ._shared import Shared

__all__ = [
    "STATE_KEY",
    "Busy",
    "MemoryQuotas",
    "MemorySessions",
    "Quotas",
    "RedisHolds",
    "RedisQuotas",
    "RedisSessions",
    "Shared",
    "Turn",
    "Turns",
    "state_key",
]
