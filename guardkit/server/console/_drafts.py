"""Policies typed into the playground: compiled, priced and bound in memory, a few kept."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from guardkit.catalog import Bind, Live, Setting
from guardkit.diagnostics import to_json
from guardkit.errors import BindError, PolicyError
from guardkit.guard import (
    CATALOG,
    Guard,
    active_rules,
    compile_text,
    data_of,
    folder_of,
    plan_findings,
    plan_of,
)
from guardkit.plan import CHUNK_KB, Plan, costs_of
from guardkit.runtime import Machine
from guardkit.semantics import Checked
from guardkit.wire import Fault

MOST_BYTES: Final = 200_000
MOST_DECLARATIONS: Final = 500
"""A thread cannot be stopped, and rules that are much alike are compared two by two: so many take
seconds, and ten times as many take minutes from those whose texts are judged meanwhile."""
MOST_KEPT: Final = 8
MOST_FINDINGS: Final = 200
SIZE_KB: Final = 1.0
"""The size of the text that costs are told for."""


_READERS: Final = (
    "canary",
    "classifier",
    "echo",
    "entities",
    "grounded",
    "invisible",
    "language",
    "length",
    "links",
    "pattern",
    "refusal",
    "repetition",
    "script",
    "secrets",
    "similarity",
    "words",
)
"""Kinds of checks that read a text and run nobody's code."""


def _without_calls(bind: Bind) -> Bind:
    def bound(config: Mapping[str, object], setting: Setting) -> Live:
        if "call" in config:
            raise BindError("the editor runs no code of a program")
        return bind(config, setting)

    return bound


# INVARIANT: what is typed into the editor never becomes code. A check of any other kind is not
# bound, whatever it names, and answers nothing.
_CATALOG: Final = replace(
    CATALOG, binds={kind: _without_calls(CATALOG.binds[kind]) for kind in _READERS}
)


class Draft:
    """One policy text, checked. It uses shipped modules and no file.

    Args:
        text: The policy.
    """

    def __init__(self, text: str) -> None:
        checked = compile_text(text)
        policy = checked.policy
        errors = any(found.is_error for found in checked.diagnostics)
        self.checked: Checked = checked
        self.plan: Plan | None = None
        self.findings = checked.diagnostics
        self.rules: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._guard: Guard | None = None
        if policy is None or errors:
            return
        self.rules = active_rules(policy)
        if policy.kind == "module":
            return
        self.findings = (*checked.diagnostics, *plan_findings(policy))
        if any(found.is_error for found in self.findings):
            return
        try:
            self.plan = plan_of(policy)
        except PolicyError as error:
            self.findings = (*checked.diagnostics, *error.diagnostics)

    def guard(self) -> Guard:
        """The policy, bound as far as that goes without files and callables of a program.

        Raises:
            Fault: It does not compile, or this machine cannot run it.
        """
        if self.plan is None:
            raise Fault(422, "does_not_compile", "the policy has mistakes: they are listed")
        with self._lock:
            if self._guard is None:
                machine = Machine(data_of(_NOWHERE), may_lack=True, folder=folder_of(None))
                try:
                    self._guard = Guard(self.plan, catalog=_CATALOG, machine=machine)
                except BindError as error:
                    raise Fault(422, "cannot_bind", str(error)) from None
            return self._guard

    def as_dict(self) -> dict[str, Any]:
        """What the editor shows: findings, and where there is a plan what it costs."""
        found = self.findings[:MOST_FINDINGS]
        policy = self.checked.policy
        shown: dict[str, Any] = {
            "ok": self.plan is not None,
            "kind": policy.kind if policy is not None else None,
            "name": policy.name if policy is not None else None,
            "diagnostics": [to_json(one) for one in found],
            "more": len(self.findings) - len(found),
            "surfaces": {surface: list(names) for surface, names in self.rules.items()},
        }
        if self.plan is not None:
            shown["digest"] = self.plan.digest
            shown["costs"] = costs(self.plan)
        return shown


_DECLARATION: Final = re.compile(r"^[^\W\d]", re.MULTILINE)
"""A letter in the first column begins a declaration."""
_NOWHERE: Final = Path("/nonexistent")


class Drafts:
    """The last few policy texts, by what they say. It may be used from several threads."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Draft] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Drafts: {len(self._kept)}>"

    def draft(self, text: str) -> Draft:
        """A policy text, checked; the same object for the same text.

        Raises:
            Fault: It is too long.
        """
        raw = text.encode()
        if len(raw) > MOST_BYTES:
            raise Fault(413, "too_long", f"the policy is over {MOST_BYTES:,} bytes")
        if len(_DECLARATION.findall(text)) > MOST_DECLARATIONS:
            said = f"the editor takes {MOST_DECLARATIONS} declarations: use the command line"
            raise Fault(413, "too_many", said)
        key = hashlib.sha256(raw).digest()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        made = Draft(text)
        with self._lock:
            # Two may have checked the same text at once: the first one stays, with its sessions.
            made = self._kept.setdefault(key, made)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


def in_force(guard: Guard) -> dict[str, Any]:
    """What `Draft.as_dict` says, of a policy in force."""
    plan = guard.plan
    surfaces: dict[str, list[str]] = {}
    for rule in plan.rules:
        for surface in rule.surfaces if rule.mode == "enforce" else ():
            surfaces.setdefault(surface, []).append(rule.name)
    return {
        "ok": True,
        "kind": "policy",
        "name": plan.policy,
        "diagnostics": [],
        "more": 0,
        "surfaces": surfaces,
        "digest": plan.digest,
        "costs": costs(plan),
    }


def costs(plan: Plan) -> list[dict[str, Any]]:
    """What a text costs on each surface, in microseconds, beside the budget."""
    found = []
    whole, chunk = costs_of(plan, SIZE_KB), costs_of(plan, CHUNK_KB)
    for cost in whole.surfaces:
        budget = plan.limits.budget(cost.surface)
        judged = cost
        if budget is not None and budget.per_chunk:
            judged = chunk.surface(cost.surface) or cost
        found.append(
            {
                "surface": cost.surface,
                "worst_us": round(cost.worst_us, 2),
                "expected_us": round(cost.expected_us, 2),
                "budget_us": None if budget is None else budget.ms * 1000,
                "per_chunk": budget is not None and budget.per_chunk,
                "judged_us": round(judged.worst_us, 2),
                "rule": cost.rule,
                "path": [{"name": step.name, "us": round(step.us, 2)} for step in cost.path],
            }
        )
    return found
