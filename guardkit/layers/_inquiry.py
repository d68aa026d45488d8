"""One exchange under inquiry: from its runs to who made it what it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from guardkit._util.shares import Share
from guardkit.types import Layer

from ._attribution import Attribution, Effect, Expected, Outcome, Standing
from ._deployment import Asked
from ._effects import SURE, odds_of
from ._evidence import Blame, blames, gathered
from ._forms import Form, Forms, most_frequent
from ._runs import Means, Run, Runner, tally

_STEPS: Final = 2
"""How many more layers are taken away to see who else would have done it."""
_EVEN: Final = 0.5


class Inquiry:
    """One exchange under inquiry.

    Args:
        means: The deployment.
        runner: Has the exchanges, and counts them.
        asked: The exchange; its `reply`, where there is one, is the reply that was seen.
        expect: What ought to have come of it; else the policy says.
        repeats: How many runs of each form there are at most.
        seed: Of the draws behind probabilities.
    """

    def __init__(
        self,
        means: Means,
        runner: Runner,
        asked: Asked,
        expect: Expected | None,
        repeats: int,
        seed: int,
    ) -> None:
        self._means = means
        self._plan = means.deployment.guard.plan
        self._asked = asked
        self._expect = expect
        self._seed = seed
        self._rest = runner, repeats
        self._seen = self._forms(asked)
        self._notes: list[str] = []
        self._is_alone = asked.reply is None and means.deployment.model is None
        roles = {message.get("role") for message in asked.messages}
        context = self._plan.context
        self._has_context = bool(
            context.lines or context.canary or roles.intersection(("system", "developer"))
        )

    def _forms(self, said: Asked) -> Forms:
        runner, repeats = self._rest
        return Forms(runner, said, repeats, self._seed)

    def _expected(self, runs: tuple[Run, ...]) -> Expected | None:
        if self._expect is not None:
            return self._expect
        return next((run.expected for run in runs if run.expected is not None), None)

    async def run(self) -> Attribution:
        """The attribution; its cost is for whoever counts."""
        has_model = self._means.deployment.model is not None
        if self._is_alone:
            return await self._alone()
        if self._asked.reply is None:
            return await self._with_model(None)
        await self._seen.begin()
        run = self._seen.whole[0]
        expected = self._expected((run,))
        is_leak = run.outcome == "answered" and expected == "refuse"
        is_settled = not is_leak or self._cause(run, is_leak)[0] != "model"
        if has_model and ((run.outcome == "refused" and run.layer == "model") or not is_settled):
            return await self._with_model(run)
        return await self._judged(self._seen, run.outcome, expected, is_fixed=True)

    async def _alone(self) -> Attribution:
        """The policy without a model and without a reply."""
        await self._seen.begin()
        run = self._seen.whole[0]
        expected = self._expected((run,))
        if run.outcome == "refused" and run.layer == "input":
            return await self._judged(self._seen, "refused", expected, is_fixed=True)
        if expected == "refuse" and run.outcome == "answered":
            cause, _ = self._cause(run, is_leak=True)
            if cause == "input":
                return await self._judged(self._seen, "answered", expected, is_fixed=True)
        self._notes.append(
            "no rule stops what goes in, and nobody was asked for a reply: give a model, or the "
            "reply that was seen"
        )
        return self._made("answered", None, "unjudged")

    async def _with_model(self, seen: Run | None) -> Attribution:
        """The whole stack again and again; `seen` is the exchange that was seen."""
        forms = self._forms(replace(self._asked, reply=None))
        await forms.begin()
        expected = self._expected((*forms.whole, *((seen,) if seen else ())))
        if forms.has_failed:
            return self._failed(forms, expected)
        sought: Outcome = "answered" if expected == "refuse" else "refused"
        if seen is not None:
            sought = seen.outcome
        if not tally(forms.whole, sought).hits:
            await forms.finish()  # something rare may be what is asked about
        if not tally(forms.whole, sought).hits:
            if seen is not None:
                count = len(forms.whole)
                self._notes.append(
                    f"what was seen did not come back in {count} run{'s' * (count != 1)}"
                )
                return await self._judged(self._seen, sought, expected, is_fixed=True)
            if sought == "refused":
                return self._made("answered", expected, "none", forms)
            sought = "refused"
        return await self._judged(forms, sought, expected, is_fixed=False)

    def _failed(self, forms: Forms, expected: Expected | None) -> Attribution:
        """There is no reply: what the stack would do is not known."""
        runs = [run for run in forms.whole if run.outcome == "failed"]
        by = Counter(run.by for run in runs).most_common(1)[0][0]
        made = self._made("failed", expected, "unjudged", forms)
        found = gathered([blames(run, self._plan) for run in runs])
        return replace(made, layer="transport", by=by, certainty=1.0, evidence=found)

    # --- from runs to a finding

    def _cause(self, run: Run, is_leak: bool) -> tuple[Layer, str]:
        """Who made a run what it is; `model` where only the model did."""
        found = blames(run, self._plan)
        if not is_leak:
            return found[0].layer, found[0].by
        first = next((one for one in found if one.is_decisive), None)
        return (first.layer, first.by) if first is not None else ("model", "no refusal")

    async def _judged(
        self, forms: Forms, outcome: Outcome, expected: Expected | None, *, is_fixed: bool
    ) -> Attribution:
        """The finding of an outcome.

        Args:
            forms: The runs so far.
            outcome: What is explained.
            expected: What ought to have come of it.
            is_fixed: Whether the reply is given, so that the model is not asked.
        """
        is_leak = outcome == "answered"
        if outcome == "failed":
            return self._failed(forms, expected)
        if is_leak and expected != "refuse":
            return self._made(outcome, expected, "none", forms)
        without_context: Form = ("context",)
        asks = not is_fixed and any(run.outcome != "failed" for run in forms.whole)
        asks = asks and not forms.is_exact
        singles = self._singles(forms, is_leak, asks)
        await forms.settle(outcome, *singles)
        runs = [run for run in forms.whole if run.outcome == outcome]
        causes = [self._cause(run, is_leak) for run in runs]
        counts = Counter(layer for layer, _ in causes)
        odds = self._odds(forms, outcome, counts, is_leak, without_context in singles)
        layer = next(iter(odds))
        kind: Layer = "model" if layer in ("context", "weights") else layer
        by = Counter(by for at, by in causes if at == kind).most_common(1)
        effects = [forms.effect(form, outcome) for form in singles]
        effects += [forms.inert((one,), outcome) for one in self._idle(forms, is_leak, singles)]
        effects.sort(key=lambda one: _ORDER[one.without[0]])
        standing: Standing = "named"
        also: tuple[Layer, ...] = ()
        if layer == "model":
            standing = "undetermined"
            self._notes.append("one reply does not tell context and weights apart: give a model")
        elif odds[layer] < SURE:
            standing = "undetermined"
        elif not is_leak and not self._is_alone and self._may_go(layer, is_fixed):
            more, also = await self._redundant(forms, outcome, layer, is_fixed=is_fixed)
            effects += [forms.effect(form, outcome) for form in more]
            standing = "overdetermined" if also else "named"
        self._remark(forms, runs, layer, is_leak=is_leak)
        made = self._made(outcome, expected, standing, forms)
        return replace(
            made,
            layer=layer,
            by=by[0][0] if by else "",
            certainty=odds[layer],
            odds=tuple(odds.items()),
            also=also,
            effects=tuple(effects),
            evidence=gathered([blames(run, self._plan) for run in runs]),
        )

    def _singles(self, forms: Forms, is_leak: bool, asks: bool) -> list[Form]:
        """The layers whose removal has to be tried, one by one."""
        # Without a reply nobody knows what would stand behind the rules on what goes in.
        sides: tuple[Layer, ...] = () if is_leak or self._is_alone else ("input", "output")
        found: list[Form] = [(side,) for side in sides if forms.acted(side)]
        if asks and self._has_context:
            found.append(("context",))
        if asks and self._means.other is not None:
            found.append(("weights",))
        return sorted(found, key=lambda form: _ORDER[form[0]])

    def _idle(self, forms: Forms, is_leak: bool, tried: list[Form]) -> list[Layer]:
        """The layers that could be taken away, and did nothing."""
        surfaces = set(self._plan.surfaces)
        idle: list[Layer] = []
        if not is_leak and not self._is_alone:
            idle += ["input"] if surfaces & {"input", "retrieved", "tool_result"} else []
            idle += ["output"] if surfaces & {"output", "tool_call"} else []
            if self._has_context and forms.is_exact and self._asked.reply is None:
                idle.append("context")  # the model was never asked
        return [layer for layer in idle if (layer,) not in tried and not forms.acted(layer)]

    def _odds(
        self,
        forms: Forms,
        outcome: Outcome,
        counts: Counter[Layer],
        is_leak: bool,
        is_split: bool,
    ) -> dict[Layer, float]:
        """How likely it is of each layer that it is the one, the likeliest first."""
        known: dict[str, int] = dict(counts.items())
        if "model" in known and not self._has_context:
            known["weights"] = known.pop("model")
        if forms.is_exact:
            return {_layer(max(known, key=lambda name: known[name])): 1.0}
        left = [run for run in forms.runs(("context",)) if run.outcome != "failed"]
        stays = sum(
            run.outcome == outcome and self._cause(run, is_leak)[0] == "model" for run in left
        )
        others = sum(run.outcome not in (outcome, "failed") for run in forms.whole)
        made = odds_of(
            known,
            others,
            split="model" if is_split else "",
            into=("context", "weights"),
            left=(stays, len(left)),
            seed=self._seed,
        )
        ranked = sorted(made.items(), key=lambda item: (-item[1], item[0]))
        return {_layer(name): chance for name, chance in ranked}

    async def _redundant(
        self, forms: Forms, outcome: Outcome, layer: Layer, *, is_fixed: bool
    ) -> tuple[list[Form], tuple[Layer, ...]]:
        """Who would have done it without the layer: the forms that were tried, and the layers."""
        form: Form = (layer,)
        tried: list[Form] = []
        also: list[Layer] = []
        if not forms.runs(form):
            await forms.settle(outcome, form)
            tried.append(form)
        for _ in range(_STEPS):
            effect = forms.effect(form, outcome)
            if effect.flips or not effect.left.hits:
                break
            if effect.chance > _EVEN:
                self._notes.append("so few runs do not settle whether it needed that layer")
                break
            more = self._next(effect, form, is_fixed)
            if more is None or more in form:
                break
            also.append(more)
            if not self._may_go(more, is_fixed):
                break
            form = tuple(sorted((*form, more), key=lambda one: _ORDER[one]))
            await forms.settle(outcome, form)
            tried.append(form)
            if more == "context" and most_frequent(forms.effect(form, outcome).then) == "model":
                also[-1] = "weights"  # without the context the model refuses as well
        also = [more for more in also if more != layer]
        return tried, tuple(dict.fromkeys(also))

    def _may_go(self, layer: Layer, is_fixed: bool) -> bool:
        """Whether a layer can be taken away."""
        if layer == "weights":
            return self._means.other is not None and not is_fixed
        return layer in ("input", "output") or (layer == "context" and not is_fixed)

    def _next(self, effect: Effect, form: Form, is_fixed: bool) -> Layer | None:
        """Who came to the same outcome most often in a form."""
        ending = most_frequent(effect.then)
        if ending != "model":
            return ending
        has_more = self._has_context and "context" not in form and not is_fixed
        return "context" if has_more else "weights"

    def _remark(self, forms: Forms, runs: list[Run], layer: Layer, *, is_leak: bool) -> None:
        """What a reader ought to know beside the figures."""
        for form, failed, of in forms.failures():
            where = f" without the {' and the '.join(form)}" if form else ""
            self._notes.append(f"{failed} of {of} runs{where} gave no reply and are in no figure")
        if layer == "weights" and (other := forms.runs(("weights",))):
            outcome: Outcome = "answered" if is_leak else "refused"
            counted = tally(other, outcome)
            if counted.of and 2 * counted.hits > counted.of:
                does = "answer" if is_leak else "refuse"
                self._notes.append(f"other weights {does} it too")
        if is_leak and layer in ("weights", "context") and self._plan.model.refuses:
            about = set(self._plan.model.refuses)
            if not any(about.intersection(row.asks) for row in self._plan.rules):
                self._notes.append("no rule asks about what the `model` block says is refused")
        if self._is_alone:
            self._notes.append("only rules were asked: what lies behind them is not known")
        found: list[Blame] = [one for run in runs for one in blames(run, self._plan)]
        twins = dict.fromkeys(one.by for one in found if one.how == "stopped")
        if len(twins) > 1 and not any(one.is_decisive for one in found):
            self._notes.append(f"each of these rules stops it by itself: {', '.join(twins)}")
        mute = dict.fromkeys(one.detail for one in found if one.how == "unknown" and one.detail)
        self._notes += [f"{detail}: `on_error` decided" for detail in mute]

    def _made(
        self,
        outcome: Outcome,
        expected: Expected | None,
        standing: Standing,
        forms: Forms | None = None,
    ) -> Attribution:
        """An attribution that names nobody yet."""
        counted = tally((forms or self._seen).whole, outcome)
        return Attribution(
            id="",
            outcome=outcome,
            expected=expected,
            standing=standing,
            layer=None,
            by="",
            certainty=None,
            odds=(),
            also=(),
            intact=Share(counted.hits, counted.of),
            effects=(),
            evidence=(),
            notes=tuple(self._notes),
            runs=0,
            model_calls=0,
            elapsed_s=0.0,
        )


_ORDER: Final[dict[Layer, int]] = {
    "input": 0,
    "context": 1,
    "weights": 2,
    "model": 2,
    "provider": 3,
    "output": 4,
    "transport": 5,
}
_NAMES: Final[dict[str, Layer]] = {layer: layer for layer in _ORDER}


def _layer(name: str) -> Layer:
    return _NAMES[name]
