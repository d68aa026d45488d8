"""Who calls: the tenant whose sessions, quota and policy a request belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant, as the keys file has it."""

    name: str
    """Part of every key under which anything is kept; empty where the server has no keys."""
    policy: str | None = None
    """Its own policy file; None for that of the server."""
    per_minute: int | None = None
    """Requests it may make in a minute; None for any number."""
    at_once: int | None = None
    """Requests of it that may be under way at the same time; None for any number."""


OPEN = Tenant("")
"""Everybody, where the server has no keys."""
