"""Personal data there and back: the model reads `[EMAIL_1]`, the user gets the address.

Offline: the model here is a stand-in. Run it with `python examples/pseudonyms.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import guardkit

POLICY = """
guardkit 1
policy private

check personal = entities { kinds [email, phone] }

rule hide {
  tier safety
  on   input, tool_result
  when personal
  then rewrite matches as pseudonym
}
"""
QUESTION = "Write to ann@firm.example, or call +49 30 901820."

guard = guardkit.loads(POLICY)


@guard(session=lambda call: call["user"])
def ask(prompt: str, user: str) -> Iterator[str]:
    """A stand-in: it answers in pieces that cut the pseudonym in two."""
    print(f"the model reads: {prompt}")
    yield from ("I wrote to [EMA", "IL_1] and called [PH", "ONE_1].")


if __name__ == "__main__":
    print(f"ann reads:       {''.join(ask(QUESTION, user='ann'))}")
    print(f"bo reads:        {''.join(ask('What did you do?', user='bo'))}")
