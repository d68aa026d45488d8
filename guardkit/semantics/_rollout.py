"""The overlay of a deployment: which rules are in shadow there, in force for a share, or retired.

A policy says what is judged, an overlay how far that has been rolled out. It changes modes and
shares, nothing else, and takes a rule that fails closed out of force only where it says so twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from guardkit.diagnostics import Diagnostic, Label, Place, Source, Span, did_you_mean, visible
from guardkit.syntax import ast, check_characters

from ._policy import Mode, Rule
from ._rules import MODES
from ._scope import Scope
from ._toml import Keys, Toml, read_toml

MAX_FINDINGS: Final = 100
"""Of characters that mislead."""
MAX_SHOWN: Final = 60
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%")
_MODE = 'a mode is `"enforce"`, `"shadow"`, `"retired"` or a share such as `"10%"`'
_RULES = "write `[rules]` on a line of its own, even if it names none"
_ALLOW = 'write `[weaken]`, and below it `allow = ["the_rule"]`'


@dataclass(frozen=True, slots=True)
class Rollout:
    """The rules of a policy as one deployment has them. `place` is the table that says so."""

    rules: dict[str, Rule]
    place: Place


def roll_out(scope: Scope, source: Source, rules: Mapping[str, Rule]) -> Rollout:
    """Give rules the modes and shares of a deployment.

    Args:
        scope: The policy; findings join its report and point into the overlay.
        source: The overlay, a TOML file.
        rules: Every rule of the policy by name, applied ones too.

    Returns:
        All rules in the same order; those that the overlay does not name are the same objects.
    """
    reader = _Reader(scope, source, rules)
    return Rollout({**rules, **reader.read()}, reader.place)


class _Reader:
    """Reads one overlay."""

    def __init__(self, scope: Scope, source: Source, rules: Mapping[str, Rule]) -> None:
        self._scope, self._source, self._rules = scope, source, rules
        self._applied = {
            node.target.dotted for node in scope.file.declarations if isinstance(node, ast.Apply)
        }
        self._named: dict[str, Span] = {}
        self.place = Place(source, Span(0, 0))

    def read(self) -> dict[str, Rule]:
        """The rules that the overlay names, as it wants them."""
        odd = list(check_characters(self._source, MAX_FINDINGS))
        if odd:
            # Their advice is about texts of a policy; names of rules are plain.
            self._scope.report.extend(replace(one, help=()) for one in odd)
            return {}
        read = read_toml(self._source, "bad-overlay")
        if isinstance(read, Diagnostic):
            self._scope.report.append(read)
            return {}
        is_known = self._only_known(read, (), read.data, ("rules", "weaken"))
        allowed = self._allowed(read)
        at = read.at(("rules",)).key
        self.place = Place(self._source, at)
        rules = read.data.get("rules")
        if not isinstance(rules, dict):
            if "rules" not in read.data and not is_known:
                return {}  # most likely it has another name
            self._wrong(at, "the overlay has no table `[rules]`", help=_RULES)
            return {}
        turned = self._turned(read, rules)
        self._weakens(turned, allowed)
        return turned

    def _only_known(
        self, read: Toml, keys: Keys, table: Iterable[str], known: tuple[str, ...]
    ) -> bool:
        is_known = True
        for name in table:
            if name not in known:
                is_known = False
                self._wrong(
                    read.at((*keys, name)).key,
                    f"nothing in an overlay is called `{_shown(name)}`",
                    help=did_you_mean(name, known)
                    or "here stands " + " or ".join(f"`{one}`" for one in known),
                )
        return is_known

    # --- [rules]

    def _turned(self, read: Toml, rules: Mapping[str, Any]) -> dict[str, Rule]:
        made: dict[str, Rule] = {}
        for keys, value in _leaves(rules, ("rules",)):
            name, said = ".".join(keys[1:]), read.at(keys)
            if name in self._named:  # `"pii.mask"` and `pii.mask`: two keys of TOML, one rule
                self._say(
                    "duplicate-name",
                    said.key,
                    f"the rule `{_shown(name)}` is named twice",
                    labels=(Label(Place(self._source, self._named[name]), "named here first"),),
                )
                continue
            self._named[name] = said.key
            rule = self._known(name, said.key)
            turn = self._turn(value, said.value)
            if rule is not None and turn is not None:
                made[name] = replace(rule, mode=turn.mode, share=turn.share)
        return made

    def _turn(self, written: object, at: Span) -> _Turn | None:
        """What a written mode makes of a rule."""
        if not isinstance(written, str):
            self._wrong(at, "a mode is a text", help=_MODE)
            return None
        share = _SHARE.fullmatch(written)
        if share is None:
            for mode in MODES:
                if mode == written:
                    return _Turn(mode, 100.0)
            near = did_you_mean(written, MODES)
            said = f"`{_shown(written)}` is not a mode"
            self._say("unknown-choice", at, said, help=near or _MODE)
            return None
        percent = float(share[1])
        if 0 < percent < 100:
            return _Turn("enforce", percent)
        self._say(
            "out-of-range",
            at,
            f"`{written}` is no share of the sessions",
            help='write `"shadow"` for none of them, `"enforce"` for all',
        )
        return None

    def _known(self, name: str, at: Span) -> Rule | None:
        """The rule of a name; where there is none, that is said, unless its own is wrong."""
        rule, scope = self._rules.get(name), self._scope
        alias, _, inner = name.partition(".")
        if rule is not None or name in self._applied or {name, alias} & scope.broken:
            return rule
        module = scope.modules.get(alias)
        if module is not None and inner in module.rule_blocks:
            self._say(
                "unknown-rule",
                at,
                f"the library rule `{name}` is not applied",
                help=f"add `apply {name}` to the policy",
            )
            return None
        self._say(
            "unknown-rule",
            at,
            f"no rule of the policy is called `{_shown(name)}`",
            help=did_you_mean(name, self._rules)
            or "`guardkit check --verbose` names the rules of a policy",
        )
        return None

    # --- [weaken]

    def _allowed(self, read: Toml) -> dict[str, Span]:
        """The rules that may be weakened, and where that is said."""
        table = read.data.get("weaken", {})
        if not isinstance(table, dict):
            self._wrong(read.at(("weaken",)).key, "`weaken` is no table", help=_ALLOW)
            return {}
        self._only_known(read, ("weaken",), table, ("allow",))
        at = read.at(("weaken", "allow")).key
        names = table.get("allow", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._wrong(at, "`allow` is a list of rules", help=_ALLOW)
            return {}
        found: dict[str, Span] = {}
        for name in names:
            start = self._source.text.find(name, at.end) if name else -1
            found[name] = at if start < 0 else Span(start, start + len(name))
            self._known(name, found[name])
        return found

    def _weakens(self, turned: Mapping[str, Rule], allowed: Mapping[str, Span]) -> None:
        """A rule that fails closed is weakened by two lines, never by one."""
        weaker = {name for name, rule in turned.items() if _force(rule) < _force(self._rules[name])}
        for name in sorted(weaker - allowed.keys()):
            own = self._rules[name]
            if not self._fails_closed(own):
                continue
            some = " for some" if _force(turned[name]) else ""
            self._say(
                "overlay-weakens",
                self._named[name],
                f"`{name}` stands in tier `{own.tier}`, and this takes it out of force{some}",
                labels=() if own.name_place is None else (Label(own.name_place, "the rule"),),
                help=f'if that is meant, add `[weaken]`, and below it `allow = ["{name}"]`',
            )
        for name, at in allowed.items():
            # One whose mode is wrong is not said to be idle as well.
            if (
                name in self._rules
                and name not in weaker
                and (name in turned or name not in self._named)
            ):
                self._say(
                    "unused-permission",
                    at,
                    f"`{name}` may be weakened, and is not",
                    help="take it out of `allow`",
                )

    def _fails_closed(self, rule: Rule) -> bool:
        """Whether no tier stands above the rule's, or that tier blocks where a check fails."""
        tiers = self._scope.tiers
        return any(
            tier.name == rule.tier and (rank == 0 or tier.on_error == "block")
            for rank, tier in enumerate(tiers)
        )

    # --- findings

    def _wrong(self, at: Span, message: str, *, help: tuple[str, ...] | str) -> None:
        self._say("bad-overlay", at, message, help=help)

    def _say(
        self,
        slug: str,
        at: Span,
        message: str,
        *,
        labels: tuple[Label, ...] = (),
        help: tuple[str, ...] | str = (),
    ) -> None:
        self._scope.error(slug, Place(self._source, at), message, labels=labels, help=help)


class _Turn(NamedTuple):
    """What an overlay makes of a rule."""

    mode: Mode
    share: float


def _leaves(value: object, keys: Keys) -> Iterator[tuple[Keys, object]]:
    """Every key with a value. To TOML `a.b = 1` is a table in a table; it means the rule `a.b`."""
    if isinstance(value, dict) and (value or len(keys) == 1):
        for name, inner in value.items():
            yield from _leaves(inner, (*keys, name))
    else:
        yield keys, value


def _force(rule: Rule) -> float:
    """The percentage of sessions that a rule acts for."""
    return rule.share if rule.mode == "enforce" else 0.0


def _shown(written: str) -> str:
    return visible(written[:MAX_SHOWN]) + ("…" if len(written) > MAX_SHOWN else "")
