"""Small policies to measure, and ways to bind them."""

from __future__ import annotations

from guardkit.guard import CATALOG, Guard, compile_text, plan_of
from guardkit.plan import Plan
from guardkit.runtime import Machine

WORDS = """
guardkit 1
policy words
defaults {
  budget    input  1s
  budget    output 1s per chunk
  hold_back 48 chars
}
check greeting = pattern { match /\\bhello\\b/i label "greeting" }
check farewell = words { list ["goodbye"] label "farewell" }
check long     = length { max 3000 chars }
rule no_greeting { tier safety on input, output when greeting then block "No greetings." }
rule no_farewell { tier safety on output when farewell then rewrite matches as "[{label}]" }
rule no_length   { tier safety on input when long then flag }
"""

SLOW = """
guardkit 1
policy slow
defaults { budget input BUDGET }
check slow = python { call "given:here" }
rule no_slow { tier safety on input when slow then block "No." }
"""

SESSION = """
guardkit 1
policy session
check bad = words { list ["badword"] }
rule no_bad { tier safety on input when bad then block "No." for session }
rule wait { tier safety on output when bad then hold for "them" within 15m else block "No." }
rule calls { tier safety on tool_call when bad then block "No." }
window often { count no_bad last 5 turns per session }
rule closing { tier safety on conversation when often >= 3 then block "No." for session }
"""


def plan(text: str) -> Plan:
    checked = compile_text(text)
    assert checked.policy is not None, [found.message for found in checked.diagnostics]
    return plan_of(checked.policy)


def bind(plan: Plan, **given: object) -> Guard:
    """A guard; objects of the program's own go to the checks that a part of the plan still has."""

    def no_file(name: str) -> bytes:
        raise FileNotFoundError(name)

    names = {row.name for row in plan.checks}
    own = {name: value for name, value in given.items() if name in names}
    return Guard(plan, catalog=CATALOG, machine=Machine(no_file, own))


def guard(text: str, **given: object) -> Guard:
    return bind(plan(text), **given)
