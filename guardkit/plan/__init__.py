"""Lower a checked policy to a rule graph; cost, draw, settle, save and load the graph."""

from ._lower import lower_naively
from ._nodes import Node
from ._passes import PASSES, lower
from ._plan import Plan
from ._save import PlanError, from_json, to_json
from ._settle import PENDING, Settler, settle

__all__ = ["PASSES", "PENDING", "Node", "Plan", "PlanError", "Settler", "from_json", "lower", "lower_naively", "settle", "to_json"]
