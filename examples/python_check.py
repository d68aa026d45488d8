"""A check of your own in Python: bounded, typed in the policy, and unknown when it fails.

Run it with `python examples/python_check.py`.
"""

from __future__ import annotations

import guardkit

POLICY = """
guardkit 1
policy readable

check hard_words = python {
  call    "readability:Readability"
  answers score
  timeout 100ms
}

rule plain_language {
  tier ethics
  on   output
  when hard_words >= 0.5
  then block "Let me say that more simply."
}
"""


class Readability:
    """The share of long words in a text."""

    def check(self, text: str) -> float:
        words = text.split()
        if not words:
            raise ValueError("a text without words has no share of long ones")
        return sum(len(word) > 9 for word in words) / len(words)


# `checks=` hands the object over; without it, it is imported by the name in the policy.
guard = guardkit.loads(POLICY, checks={"hard_words": Readability()})


def main() -> None:
    for text in (
        "Your parcel comes tomorrow.",
        "Notwithstanding aforementioned circumstances, reimbursement is inadmissible.",
        "   ",
    ):
        verdict = guard.check(text, on="output")
        print(f"{verdict.action:5} {verdict.fired or verdict.undecided} unknown={verdict.unknown}")


if __name__ == "__main__":
    main()
