"""What the operator of a server chose, as plain data; it names secrets and holds none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Where only this machine can call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `guardkit serve`."""

    policy: str
    """A policy file, or the name of one that ships."""
    upstream: str | None = None
    """The origin of the model's server; without it there is no proxy, only the decision API."""
    upstream_anthropic: str | None = None
    """The same for Anthropic's dialect, where it differs."""
    upstream_key_env: str | None = None
    """The variable that holds the key to show upstream; needed with `keys`."""
    upstream_anthropic_key_env: str | None = None
    packs: str | None = None
    """A pack store."""
    overlay: Path | None = None
    """A file that puts rules into shadow, or in force for a share of the sessions."""
    keys: str | None = None
    """The file of tenants and their keys; without it everybody on this machine may call."""
    insecure: bool = False
    """Whether an address that others reach may be open without keys."""
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    tls_cert: str | None = None
    tls_key: str | None = None
    on_block: Literal["reply", "error"] = "reply"
    on_hold: Literal["wait", "block"] = "wait"
    strict: bool = False
    """Whether fields that a dialect does not have are refused; else they are judged."""
    trust_context: bool = False
    """Whether the header `x-guardkit-context` says what rules may ask about: only behind a
    gateway that sets it."""
    audit: str | None = None
    audit_mode: Literal["durable", "fast"] = "durable"
    audit_key_env: str | None = None
    on_audit_error: Literal["block", "continue"] = "block"
    holds: str | None = None
    """A SQLite file for held texts; without it they end with the process."""
    redis: str | None = None
    reports: str | None = None
    """The folder whose reports the console shows."""
    log_format: Literal["text", "json"] = "text"
    otel: bool = False
    device: str = "auto"
    most_body: int = 8 << 20
    most_inside: int = 256
    """Requests that are served at once."""
    most_waiting: int = 256
    patience_s: float = 0.05
    """How long a request waits for its place."""
    upstream_quiet_s: float = 120.0
    drain_s: float = 30.0
    """How long streams may go on once the server is to stop."""
    watch: bool = True
    """Whether a policy is loaded again when its files change."""
    denials: int | None = None
    """Blocks of one caller in a minute from which on it is turned away."""
