"""What the settings of a server name, made: keys, upstreams, the audit log, the queue of holds."""

from __future__ import annotations

import os

from guardkit.errors import BindError
from guardkit.runtime import HoldQueue, MemoryHolds, SqliteHolds
from guardkit.shared import Shared
from guardkit.telemetry import Audit
from guardkit.wire import DIALECTS

from ._send import Sender
from ._settings import Settings
from ._upstream import Upstream


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise BindError(f"the variable `{name}` that is to hold a key is not set")
    return value


def senders_of(settings: Settings) -> tuple[list[Upstream], dict[str, Sender]]:
    """The upstreams, and who asks them, by dialect."""
    if settings.upstream is None and settings.upstream_anthropic is None:
        return [], {}
    if settings.keys is not None and settings.upstream_key_env is None:
        # What clients show here are keys of this server: they must never be sent elsewhere.
        raise BindError("with `--keys` the upstream's own key comes from `--upstream-key-env NAME`")
    quiet_s = settings.upstream_quiet_s
    key = None if settings.upstream_key_env is None else _secret(settings.upstream_key_env)
    other = settings.upstream_anthropic_key_env
    key_of_other = key if other is None else _secret(other)
    opened: dict[str, Upstream] = {}

    def upstream(url: str) -> Upstream:
        return opened.setdefault(url, Upstream(url, quiet_s=quiet_s))

    senders: dict[str, Sender] = {}
    for dialect in DIALECTS:
        is_other = dialect.family == "anthropic"
        url = settings.upstream_anthropic if is_other else None
        url = url or settings.upstream
        if url is not None:
            senders[dialect.name] = Sender(
                dialect, upstream(url), key_of_other if is_other else key
            )
    return list(opened.values()), senders


def audit_of(settings: Settings) -> Audit | None:
    """The audit log; None where none is named."""
    if settings.audit is None:
        return None
    key = None if settings.audit_key_env is None else _secret(settings.audit_key_env).encode()
    return Audit(settings.audit, settings.audit_mode, key)


def holds_of(settings: Settings, shared: Shared | None) -> HoldQueue:
    """Where held texts wait."""
    if shared is not None:
        return shared.holds
    if settings.holds is not None:
        queue = SqliteHolds(settings.holds)
        queue.open()
        return queue
    return MemoryHolds()
