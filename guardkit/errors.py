"""The whole exception tree.

    GuardkitError
    ├─ PolicyError   the text is wrong: carries every diagnostic, not the first
    ├─ BindError     the text is right, this machine cannot run it: missing extra, model, digest
    ├─ CheckError    a check could not answer; inside a run it becomes a value in the trace
    ├─ UsageError    the caller broke the contract of the API
    ├─ ModelError    a model gave no reply; says why in words that quote nothing
    ├─ AuditError    a record could not be kept, or a log cannot be read
    └─ Blocked       a verdict, raised only where the caller chose raising; carries the verdict

Guarded content stays out of every message here: policy text may be quoted, prompts may not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guardkit.diagnostics import Diagnostic
    from guardkit.types import Verdict

__all__ = [
    "AuditError",
    "BindError",
    "Blocked",
    "CheckError",
    "GuardkitError",
    "ModelError",
    "PolicyError",
    "UsageError",
]


class GuardkitError(Exception):
    """Every error that guardkit raises on purpose is one of these."""


class PolicyError(GuardkitError):
    """The policy does not compile.

    Args:
        diagnostics: Everything that was found, warnings included.

    Example:
        >>> str(PolicyError([]))
        'the policy does not compile'
    """

    diagnostics: tuple[Diagnostic, ...]

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        # Imported here: an error that nobody prints should not load the renderers.
        from guardkit.diagnostics import render

        if not self.diagnostics:
            return "the policy does not compile"
        return render(self.diagnostics, "concise").rstrip("\n")


class BindError(GuardkitError):
    """The policy compiles, but this machine cannot run it.

    Args:
        problems: Every reason, one sentence each.

    Example:
        >>> BindError("model `mini` is missing", "extra `gpu` is not installed").problems
        ('model `mini` is missing', 'extra `gpu` is not installed')
    """

    problems: tuple[str, ...]

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(*problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class CheckError(GuardkitError):
    """A check could not answer. Its text names the check and the fault, never the text it read."""


class UsageError(GuardkitError):
    """The caller broke the contract of the API."""


class ModelError(GuardkitError):
    """A model gave no reply. It quotes nothing of what was said.

    Args:
        shown: What the ledger may say of it: `HTTP 503`.
        code: The model's own word for the reason, where it gave a plain one.
    """

    def __init__(self, shown: str, code: str = "") -> None:
        super().__init__(shown)
        self.shown = shown
        self.code = code


class AuditError(GuardkitError):
    """A record could not be kept, or an audit log cannot be read. It quotes no record."""


class Blocked(GuardkitError):  # noqa: N818 - a decision, not a fault
    """The verdict was to block, and the caller chose to have that raised.

    Args:
        verdict: The verdict; what the user may be told is its `message`.
    """

    verdict: Verdict

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict)

    def __str__(self) -> str:
        names = ", ".join(f"`{name}`" for name in self.verdict.fired)
        return f"blocked by {names}" if names else "blocked"
