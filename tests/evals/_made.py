"""Guards and labelled texts of a few lines, whose figures can be counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardkit.evals import Case, Evaluation, Subject, evaluate, guard_for
from guardkit.guard import Guard, compile_file, loads

HEAD = 'guardkit 1\npolicy small\n  title "Small"\n  owner "a@b.example"\n  version "1"\n'

POLICY = (
    HEAD
    + """
check greeting = pattern {
  match /\\bhello\\b/i
}

check size = length { }

check rude = python {
  call "m:f"
  answers score
}

rule no_greeting {
  tier safety
  on   input
  when greeting
  then block "No."
}

rule rude_is_flagged {
  tier guidelines
  on   input
  when rude >= 0.5
  then flag
}

rule long_in_shadow {
  tier ethics
  on   input
  mode shadow
  when size > 30
  then block "No."
}
"""
)

MODULE = """\
guardkit 1
module part
  version "1"

check greeting = pattern {
  match /\\bhello\\b/i
}

check size = length { }


check tongue = refusal { }
"""


def policy() -> Guard:
    return loads(POLICY, checks={"rude": score_of})


def score_of(text: str) -> Any:
    """The number that a text ends in; without one there is no answer."""
    word = text.rpartition(" ")[2]
    return float(word) if word.replace(".", "").isdigit() else None


def module(folder: Path, text: str = MODULE) -> Guard:
    path = folder / "part.guard"
    path.write_text(text, encoding="utf-8")
    checked = compile_file(path)
    assert checked.policy is not None, checked.diagnostics
    return guard_for(checked.policy, path)


def cases(*rows: tuple[str, bool]) -> list[Case]:
    return [Case(f"t{at}", text, bad) for at, (text, bad) in enumerate(rows, 1)]


def subject(made: Evaluation, name: str) -> Subject:
    return next(one for one in made.subjects if one.name == name)


__all__ = ["POLICY", "Case", "cases", "evaluate", "module", "policy", "subject"]
