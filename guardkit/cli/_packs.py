"""`guardkit packs`: the packs of a deployment, from the first trial to the last session."""

from __future__ import annotations

from . import _packs_add, _packs_change, _packs_list, _packs_trust
from ._verbs import family


@family(
    "packs",
    _packs_trust.command,
    _packs_add.command,
    _packs_list.command,
    _packs_change.enforce,
    _packs_change.shadow,
    _packs_change.rollback,
    _packs_change.remove,
)
def command() -> None:
    """Packs: rules against a new harm, added without touching the policy.

    STORE is a folder with the packs of one deployment. A pack comes in shadow: its rules are listed
    in verdicts and change nothing. `enforce` puts it in force for a share of the sessions or for
    all, `rollback` undoes the last change. The program loads the policy with
    `guardkit.load(POLICY, packs=STORE)`; `check`, `cost`, `diff`, `explain`, `graph`, `scan` and
    `test` take `--packs STORE`.
    """
