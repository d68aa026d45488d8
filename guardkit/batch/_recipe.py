"""How a guard is made: what goes to machines that need one of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guardkit.errors import BindError, PolicyError
from guardkit.guard import (
    CATALOG,
    Guard,
    ParamValue,
    compile_file,
    data_of,
    folder_of,
    plan_of,
    policy_path,
)
from guardkit.runtime import Machine

if TYPE_CHECKING:
    from guardkit.packs import Installed


@dataclass(frozen=True, slots=True)
class Recipe:
    """A policy and what belongs to it, by name: plain data, which any process can make a guard of.

    Args:
        policy: The path of a `.guard` file, or the name of a policy that ships.
        params: Values for its parameters.
        std: Where the shipped modules lie, if elsewhere.
        packs: The packs of the deployment.
        overlay: Its overlay.
    """

    policy: str
    params: Mapping[str, ParamValue] = field(default_factory=dict, repr=False)
    std: Path | None = None
    packs: Installed | None = None
    overlay: Path | None = None

    def made(self, digest: str) -> Guard:
        """The guard.

        Args:
            digest: Of the plan that it has to have: another machine may hold another policy.

        Raises:
            PolicyError: The policy does not compile there.
            BindError: It cannot run there, or is another one.
        """
        path = policy_path(self.policy)
        checked = compile_file(
            path, params=self.params, std=self.std, packs=self.packs, overlay=self.overlay
        )
        if checked.policy is None:
            raise PolicyError(checked.diagnostics)
        plan = plan_of(checked.policy)
        if plan.digest != digest:
            raise BindError("the policy on a machine of the cluster is another one than here")
        machine = Machine(
            data_of(path.parent, self.std, self.packs), folder=folder_of(path.parent, self.std)
        )
        return Guard(plan, catalog=CATALOG, machine=machine)

    def sent(self) -> Recipe:
        """The same for a machine elsewhere: whole paths, and packs as plain data."""
        path = Path(self.policy)
        policy = str(path.absolute()) if path.exists() else self.policy  # else one that ships
        std = None if self.std is None else self.std.absolute()
        overlay = None if self.overlay is None else self.overlay.absolute()
        packs = self.packs
        if packs is not None:
            # They were verified here, and there the digest has to be the same.
            packs = replace(packs, packs=tuple(_plain(one) for one in packs.packs))
        return Recipe(policy, dict(self.params), std, packs, overlay)


def _plain(pack: Any) -> Any:
    """A pack whose files are a dictionary: a view of one cannot be sent."""
    return replace(pack, bundle=replace(pack.bundle, files=dict(pack.bundle.files)))
