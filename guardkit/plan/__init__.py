"""Lower a checked policy to a rule graph; cost, draw, settle, save and load the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardkit._util.lazily import loader as _loader

from ._cost import CHUNK_KB, cost_table, spell_us
from ._estimate_cost import costs_of
from ._graph import dump
from ._labels import title_of
from ._lower import lower_naively
from ._nodes import (
    UNBOUNDED,
    And,
    AtLeast,
    Check,
    Compare,
    Field,
    Join,
    Node,
    Not,
    Op,
    Or,
    Pass,
    Rule,
    Scan,
    Sequence,
    View,
    What,
    Window,
)
from ._passes import PASSES, lower
from ._plan import (
    Budget,
    CheckRow,
    Costs,
    ExemptionRow,
    Limits,
    MonitorRow,
    NodeCost,
    ParamRow,
    Plan,
    PrincipleRow,
    Role,
    Root,
    RuleProse,
    RuleRow,
    SequenceRow,
    Step,
    SurfaceCost,
    WindowRow,
)
from ._save import FORMAT, PlanError, digest_of, from_json, to_json
from ._settle import PENDING, Answer, Leaves, Pending, Run, Settled, Settler, settle
from ._verify_budgets import LIMIT_KB, LIMIT_US, verify_budgets

if TYPE_CHECKING:
    from ._draw import DRAW_FORMATS, DrawFormat, draw

__all__ = [
    "CHUNK_KB",
    "DRAW_FORMATS",
    "FORMAT",
    "LIMIT_KB",
    "LIMIT_US",
    "PASSES",
    "PENDING",
    "UNBOUNDED",
    "And",
    "Answer",
    "AtLeast",
    "Budget",
    "Check",
    "CheckRow",
    "Compare",
    "Costs",
    "DrawFormat",
    "ExemptionRow",
    "Field",
    "Join",
    "Leaves",
    "Limits",
    "MonitorRow",
    "Node",
    "NodeCost",
    "Not",
    "Op",
    "Or",
    "ParamRow",
    "Pass",
    "Pending",
    "Plan",
    "PlanError",
    "PrincipleRow",
    "Role",
    "Root",
    "Rule",
    "RuleProse",
    "RuleRow",
    "Run",
    "Scan",
    "Sequence",
    "SequenceRow",
    "Settled",
    "Settler",
    "Step",
    "SurfaceCost",
    "View",
    "What",
    "Window",
    "WindowRow",
    "cost_table",
    "costs_of",
    "digest_of",
    "draw",
    "dump",
    "from_json",
    "lower",
    "lower_naively",
    "settle",
    "spell_us",
    "title_of",
    "to_json",
    "verify_budgets",
]

# Whoever checks or runs a policy draws nothing.
__getattr__ = _loader(__name__, {"_draw": ("DRAW_FORMATS", "DrawFormat", "draw")})
