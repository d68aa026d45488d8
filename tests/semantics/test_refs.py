"""References in `refs`: what they point at, and what is wrong with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardkit.semantics import _ref_tables as tables
from guardkit.semantics._refs import EXAMPLES, Kind, Ref, RefProblem, parse_ref

any_text = st.text(alphabet=st.characters(exclude_categories=()))
near_text = st.builds(
    "{}{}{}".format,
    st.sampled_from(list(EXAMPLES)),
    st.sampled_from([" ", "-", ":", ""]),
    st.one_of(any_text, st.text(alphabet="ALMTSI.0159()abc :-")),
)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("OWASP LLM01:2025", Ref("OWASP", "2025", "LLM01", "Prompt Injection")),
        ("owasp  llm01:2025 ", Ref("OWASP", "2025", "LLM01", "Prompt Injection")),
        ("OWASP LLM03:2025", Ref("OWASP", "2025", "LLM03", "Supply Chain")),
        ("OWASP LLM03:2026", Ref("OWASP", "2026", "LLM03", "Excessive Agency")),
        ("OWASP LLM08:2026", Ref("OWASP", "2026", "LLM08", "Hidden Context Exposure")),
        ("OWASP ASI01:2026", Ref("OWASP", "2026", "ASI01", "Agent Goal Hijack")),
        ("ATLAS AML.T0051", Ref("ATLAS", "", "AML.T0051", "LLM Prompt Injection")),
        (
            "ATLAS AML.T0051.000",
            Ref("ATLAS", "", "AML.T0051.000", "LLM Prompt Injection: Direct"),
        ),
        ("MITRE ATLAS aml.t0054", Ref("ATLAS", "", "AML.T0054", "LLM Jailbreak")),
        (
            "ATLAS AML.T0086",
            Ref("ATLAS", "", "AML.T0086", "Exfiltration via AI Agent Tool Invocation"),
        ),
        ("CWE-79", Ref("CWE", "", "CWE-79", "Cross-site Scripting")),
        ("CWE 79", Ref("CWE", "", "CWE-79", "Cross-site Scripting")),
        ("cwe-1", Ref("CWE", "", "CWE-1", "")),
        ("NIST AI 600-1 Data Privacy", Ref("NIST AI 600-1", "", "Data Privacy", "Data Privacy")),
        (
            "NIST AI 600-1 dangerous/violent/hateful content",
            Ref(
                "NIST AI 600-1",
                "",
                "Dangerous, Violent, or Hateful Content",
                "Dangerous, Violent, or Hateful Content",
            ),
        ),
        (
            "NIST AI 600-1 CBRN information",
            Ref(
                "NIST AI 600-1",
                "",
                "CBRN Information or Capabilities",
                "CBRN Information or Capabilities",
            ),
        ),
        ("NIST AI RMF GOVERN 1.1", Ref("NIST AI RMF", "1.0", "GOVERN 1.1", "")),
        ("NIST AI RMF 1.0 Measure 2.13", Ref("NIST AI RMF", "1.0", "MEASURE 2.13", "")),
        ("NIST AI RMF MAP 5", Ref("NIST AI RMF", "1.0", "MAP 5", "")),
        ("NIST AI RMF MANAGE", Ref("NIST AI RMF", "1.0", "MANAGE", "")),
        ("AILuminate Hate", Ref("AILuminate", "1.0", "Hate", "Hate")),
        ("AILuminate 1.0 hate", Ref("AILuminate", "1.0", "Hate", "Hate")),
        (
            "MLCommons AILuminate v1.0 suicide & self-harm",
            Ref("AILuminate", "1.0", "Suicide and Self-Harm", "Suicide and Self-Harm"),
        ),
        (
            "AILuminate Specialised Advice",
            Ref("AILuminate", "1.0", "Specialized Advice", "Specialized Advice"),
        ),
        (
            "GDPR Art. 5(1)(c)",
            Ref("GDPR", "", "Art. 5(1)(c)", "Principles relating to processing of personal data"),
        ),
        ("GDPR Article 17", Ref("GDPR", "", "Art. 17", "Right to erasure")),
        ("GDPR art 99", Ref("GDPR", "", "Art. 99", "")),
        ("EU AI Act Art. 9", Ref("EU AI Act", "", "Art. 9", "Risk management system")),
        ("EU AI Act Art. 113", Ref("EU AI Act", "", "Art. 113", "")),
        ("EU AI Act annex iii", Ref("EU AI Act", "", "Annex III", "")),
        ("ISO 42001 A.6.2.4", Ref("ISO 42001", "2023", "A.6.2.4", "AI system life cycle")),
        ("ISO/IEC 42001:2023 8.2", Ref("ISO 42001", "2023", "8.2", "Operation")),
        ("ISO 42001 clause 10", Ref("ISO 42001", "2023", "10", "Improvement")),
        ("Internal SEC-1412", Ref("Internal", "", "SEC-1412", "")),
        ("internal: Richtlinie für KI, §3", Ref("Internal", "", "Richtlinie für KI, §3", "")),
    ],
)
def test_references_are_read(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        # edition
        ("OWASP LLM01", "edition", "OWASP LLM01:2025"),
        ("OWASP LLM01", "edition", "OWASP LLM01:2026"),
        ("OWASP LLM03", "edition", "`OWASP LLM03:2025` (Supply Chain)"),
        ("OWASP LLM03", "edition", "`OWASP LLM03:2026` (Excessive Agency)"),
        ("OWASP LLM01:2023", "edition", "OWASP LLM01:2025"),
        ("OWASP ASI01", "edition", "OWASP ASI01:2026"),
        ("OWASP ASI01:2025", "edition", "OWASP ASI01:2026"),
        ("AILuminate 0.5 Hate", "edition", "AILuminate 1.0 Hate"),
        ("ISO 42001:2019 8.2", "edition", "ISO 42001:2023 8.2"),
        # unknown
        ("OWASP LLM11:2025", "unknown", "LLM01 to LLM10"),
        ("OWASP LLM1:2025", "unknown", "did you mean `LLM01`?"),
        ("OWASP LLM00:2025", "unknown", "LLM01 to LLM10"),
        ("ATLAS AML.T9999", "unknown", ""),
        ("ATLAS AML.T0051.009", "unknown", "did you mean `AML.T0051."),
        ("CWE-99999", "unknown", "1450"),
        ("NIST AI 600-1 Confabulations", "unknown", "did you mean `Confabulation`?"),
        ("NIST AI 600-1 Information", "unknown", "Information Integrity"),
        ("NIST AI RMF GOVERN 7", "unknown", "1 to 6"),
        ("NIST AI RMF GOVERN 0.1", "unknown", "1 to 6"),
        ("NIST AI RMF GOVERN 1.8", "unknown", "GOVERN 1.7"),
        ("NIST AI RMF GOVERN 1.0", "unknown", "GOVERN 1.7"),
        ("NIST AI RMF GOVERNS 1.1", "unknown", "did you mean `GOVERN`?"),
        ("AILuminate Defmation", "unknown", "did you mean `Defamation`?"),
        ("AILuminate and or", "unknown", "known:"),
        ("AILuminate 1.0", "unknown", "known:"),
        ("GDPR Art. 100", "unknown", "1 to 99"),
        ("EU AI Act Art. 114", "unknown", "1 to 113"),
        ("EU AI Act Annex XIV", "unknown", "I to XIII"),
        ("EU AI Act Annex 3", "unknown", "I to XIII"),
        ("ISO 42001 3.1", "unknown", "4 to 10"),
        ("ISO 42001 A.11", "unknown", "A.2 to A.10"),
        # malformed
        ("", "malformed", ""),
        ("   ", "malformed", ""),
        ("a" * 301, "malformed", "300"),
        ("OWASP LLM01:2025\u200b", "malformed", ""),
        ("Internal \u202eevil", "malformed", ""),
        ("Internal \ud800", "malformed", ""),
        ("OWASP", "malformed", "OWASP LLM01:2025"),
        ("OWASP :", "malformed", "OWASP LLM01:2025"),
        ("OWASP A01:2021", "malformed", "OWASP LLM01:2025"),
        ("OWASP LLM01:25", "malformed", "OWASP LLM01:2025"),
        ("OWASP LLM01:2025 Prompt Injection", "malformed", "OWASP LLM01:2025"),
        ("OWASP LLM01:2025, CWE-79", "malformed", "OWASP LLM01:2025"),
        ("OWASP LLM٠١:2025", "malformed", "OWASP LLM01:2025"),
        ("ATLAS T0051", "malformed", "ATLAS AML.T0051"),
        ("ATLAS AML.TA0005", "malformed", "ATLAS AML.T0051.000"),
        ("ATLAS AML.T0051.0", "malformed", "ATLAS AML.T0051.000"),
        ("CWE", "malformed", "CWE-79"),
        ("CWE-0", "malformed", "CWE-79"),
        ("CWE-079", "malformed", "CWE-79"),
        ("CWE--79", "malformed", "CWE-79"),
        ("CWE-XSS", "malformed", "CWE-79"),
        ("NIST AI RMF 1.1", "malformed", "GOVERN 1.1"),
        ("GDPR 5", "malformed", "GDPR Art. 5(1)(c)"),
        ("GDPR Art. 05", "malformed", "GDPR Art. 5(1)(c)"),
        ("GDPR Art. 0", "malformed", "GDPR Art. 5(1)(c)"),
        ("GDPR Art. 5(0)", "malformed", "GDPR Art. 5(1)(c)"),
        ("GDPR Art. 5(1)(c", "malformed", "GDPR Art. 5(1)(c)"),
        ("EU AI Act 9", "malformed", "EU AI Act Art. 9"),
        ("ISO 42001", "malformed", "ISO 42001 A.6.2.4"),
        ("ISO 42001 B.1", "malformed", "ISO 42001 A.6.2.4"),
        ("Internal", "malformed", "Internal SEC-1412"),
        ("Internal-audit", "malformed", "Internal SEC-1412"),
        # scheme
        ("OWSAP LLM01:2025", "scheme", "did you mean `OWASP`?"),
        ("ATLSA AML.T0051", "scheme", "did you mean `ATLAS`?"),
        ("NIST AI RFM GOVERN 1.1", "scheme", "did you mean `NIST AI RMF`?"),
        ("NIST AI 600 Data Privacy", "scheme", "NIST AI"),
        ("AIluminat Hate", "scheme", "did you mean `AILuminate`?"),
        ("EU AI-Act Art. 9", "scheme", "did you mean `EU AI Act`?"),
        ("ISO 27001 A.5", "scheme", "did you mean `ISO 42001`?"),
        ("LLM01:2025", "scheme", "did you mean `OWASP LLM01:2025`?"),
        ("AML.T0051", "scheme", "did you mean `ATLAS AML.T0051`?"),
        ("CWE79", "scheme", "CWE"),
        ("SEC-1412", "scheme", "`Internal` takes any text"),
        ("OWASPLLM01:2025", "scheme", "known:"),
    ],
)
def test_problems_say_what_to_write(text: str, kind: Kind, advice: str) -> None:
    problem = parse_ref(text)
    assert isinstance(problem, RefProblem)
    assert problem.kind == kind
    assert advice in " ".join(problem.help)


@given(st.one_of(any_text, near_text))
def test_any_text_gets_an_answer(text: str) -> None:
    found = parse_ref(text)
    if isinstance(found, Ref):
        assert found.scheme in EXAMPLES
        assert found.id
        assert found.id.isprintable()
    else:
        for line in (found.message, *found.help):
            assert line
            assert line.isprintable()
            assert not line.endswith(".")
            line.encode()
        assert found.message[0] == "`" or found.message[0].islower()
        assert len(found.message) < 200


@pytest.mark.parametrize("scheme", EXAMPLES)
def test_every_example_is_right(scheme: str) -> None:
    found = parse_ref(EXAMPLES[scheme])
    assert isinstance(found, Ref)
    assert found.scheme == scheme


@pytest.mark.parametrize("edition", tables.OWASP)
def test_every_owasp_entry_is_read(edition: str) -> None:
    for entry, title in tables.OWASP[edition].items():
        assert parse_ref(f"OWASP {entry}:{edition}") == Ref("OWASP", edition, entry, title)


def test_every_atlas_entry_is_read() -> None:
    for entry in tables.ATLAS:
        found = parse_ref(f"ATLAS {entry}")
        assert isinstance(found, Ref)
        assert found.id == entry
        assert found.title


def test_every_named_entry_is_read() -> None:
    for scheme, names in (
        ("NIST AI 600-1", tables.NIST_AI_600_1),
        ("AILuminate", tables.AILUMINATE),
    ):
        for name in names:
            found = parse_ref(f"{scheme} {name}")
            assert isinstance(found, Ref)
            assert found.id == name


def test_the_tables_hold_together() -> None:
    assert len(tables.NIST_AI_600_1) == len(set(tables.NIST_AI_600_1)) == 12
    assert len(tables.AILUMINATE) == len(set(tables.AILUMINATE)) == 12
    assert [len(table) for table in tables.OWASP.values()] == [10, 20]
    assert max(tables.CWE) <= tables.CWE_LAST
    assert max(tables.GDPR) <= tables.GDPR_LAST == 99
    assert max(tables.EU_AI_ACT) <= tables.EU_AI_ACT_LAST == 113
    for entry in tables.ATLAS:
        technique, _, sub = entry.rpartition(".")
        assert not sub.isdigit() or technique in tables.ATLAS, entry
