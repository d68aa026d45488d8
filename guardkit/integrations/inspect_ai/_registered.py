"""What Inspect finds by name: made, and registered with it, when one of them is first asked for.

Inspect's entry point asks for one, too; nobody else's import loads Inspect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._third_party import third_party
from ._approver import policy_approver
from ._model import guarded_api, guarded_model
from ._scorer import policy_scorer

approver: Callable[..., Any]
guarded: Callable[..., Any]
passes: Callable[..., Any]


def __getattr__(name: str) -> Any:
    if name not in ("approver", "guarded", "passes"):
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`", name=name)
    approval = third_party("inspect_ai.approval", "inspect")
    model = third_party("inspect_ai.model", "inspect")
    scorer = third_party("inspect_ai.scorer", "inspect")
    model.modelapi(name="guardkit")(lambda: guarded_api)
    made = {
        "approver": approval.approver(name="policy")(policy_approver),
        "guarded": guarded_model,
        "passes": scorer.scorer(metrics=[scorer.mean(), scorer.stderr()], name="passes")(
            policy_scorer
        ),
    }
    globals().update(made)
    return made[name]
