"""A reply that breaks a principle is written again, twice at most, and judged each time.

Offline: the model here is a stand-in. Run it with `python examples/revision.py`.
"""

from __future__ import annotations

import guardkit

POLICY = """
guardkit 1
policy no_discounts

principle no_discounts {
  tier guidelines
  text "Never promise a discount. Offer to ask a colleague."
}

check discount = words { list ["voucher", "discount"] }

rule no_discounts_promised {
  tier guidelines
  on   output
  when discount
  then revise by no_discounts at most 2 else block "I'll ask a colleague."
}
"""
DRAFTS = {
    "quick": ["Sorry! Here is a voucher.", "I'll ask what we can do for you."],
    "stubborn": ["Take this voucher!", "A discount, then?", "But a voucher is fine?"],
}

guard = guardkit.loads(POLICY)


def main() -> None:
    for name, drafts in DRAFTS.items():
        left = iter(drafts)

        @guard(on_block="reply", watch=lambda verdict: print(f"  verdict: {verdict.action}"))
        def ask(prompt: str, left=left) -> str:
            draft = next(left)
            print(f"  draft:   {draft}")
            return draft

        print(name)
        print(f"  reader:  {ask('My parcel is late.')}")


if __name__ == "__main__":
    main()
