"""The two policies of the language reference: they parse, check and format to themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from guardkit.diagnostics import Source
from guardkit.guard import CATALOG, active_rules, compile_file
from guardkit.plan import lower
from guardkit.semantics import And, CascadeCond, FieldTest, Not
from guardkit.syntax import format_source

SAMPLES = Path(__file__).parent.parent / "samples"
NAMES = ["retail_support", "ops_agent"]


@pytest.mark.parametrize("name", NAMES)
def test_it_checks_without_an_error_or_a_warning(name: str) -> None:
    checked = compile_file(SAMPLES / f"{name}.guard", std=SAMPLES / "std", today=date(2026, 11, 21))
    assert [d for d in checked.diagnostics if d.level != "note"] == []
    assert checked.policy is not None
    assert checked.policy.name == name
    assert lower(checked.policy, CATALOG).digest.startswith("sha256:")


@pytest.mark.parametrize("name", NAMES)
def test_it_formats_to_itself(name: str) -> None:
    text = (SAMPLES / f"{name}.guard").read_text(encoding="utf-8")
    assert format_source(Source(name, text)) == text


def test_what_the_retail_policy_means() -> None:
    policy = compile_file(SAMPLES / "retail_support.guard", std=SAMPLES / "std").policy
    assert policy is not None
    assert active_rules(policy) == {
        "input": ("stop_prompt_injection", "no_abuse"),
        "retrieved": ("stop_prompt_injection",),
        "output": ("mask_customer_data", "no_abuse", "advice_is_revised", "over_refusal"),
    }
    assert policy.rule("stop_prompt_injection").on_error == "block"
    assert policy.rule("no_abuse").on_error == "hold"
    assert isinstance(policy.rule("stop_prompt_injection").condition, CascadeCond)
    masked = policy.rule("mask_customer_data").condition
    assert isinstance(masked, And)
    assert isinstance(masked.members[1], Not)  # `unless` is part of the condition
    assert dict(policy.check("pii.any").config)["kinds"] == ("card", "email", "iban")
    assert policy.check("advice").label == "PERSONAL_RECOMMENDATION"
    assert policy.model.refuses == ("harm.self_harm", "harm.weapons")
    assert policy.context.canary
    assert policy.context.lines[1] == "Never recommend a specific security to a specific person."
    assert [case.case for case in policy.tests[-2:]] == ["What is my balance?", "Reset my PIN"]
    assert policy.defaults.refusals == 0.02


def test_what_the_agent_policy_means() -> None:
    policy = compile_file(
        SAMPLES / "ops_agent.guard", std=SAMPLES / "std", today=date(2026, 11, 21)
    ).policy
    assert policy is not None
    held = policy.rule("hold_external_mail").condition
    assert held == FieldTest("call", ("to", "domain"), "not in", ("northbank.example",), "domain")
    applied = policy.rule("secrets.no_leak")
    assert applied.surfaces == ("output",)
    assert policy.sequences[0].first.on.tools == ("mail.read", "web.fetch")
    assert policy.windows[0].counts == ("break_exfiltration", "hold_external_mail")
    assert policy.exemptions[0].until == "2027-01-31"


def test_parameters_can_be_given_from_outside() -> None:
    file = SAMPLES / "retail_support.guard"
    strict = compile_file(file, std=SAMPLES / "std", params={"injection_threshold": 0.5}).policy
    assert strict is not None
    assert {p.name: p.value for p in strict.params} == {"injection_threshold": 0.5}
    wrong = compile_file(file, std=SAMPLES / "std", params={"injection_treshold": 0.5})
    assert [d.code.slug for d in wrong.diagnostics] == ["unknown-override"]
    outside = compile_file(file, std=SAMPLES / "std", params={"injection_threshold": 7})
    assert [d.code.slug for d in outside.diagnostics] == ["threshold-range"]
