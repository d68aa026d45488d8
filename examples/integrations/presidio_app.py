"""Recognisers that were written for Presidio in a policy, and the other way round. Offline."""

from __future__ import annotations

from presidio_analyzer import Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

import guardkit
from guardkit.integrations.presidio import EntitiesRecognizer, Recognised

POLICY = """
guardkit 1
policy shop
check badge = python { call "guardkit.integrations.presidio:Recognised" }
check card  = python { call "guardkit.integrations.presidio:Recognised" }
rule stop {
  tier safety
  on   input
  when badge or card
  then block "Leave your numbers out of it."
}
"""

badges = PatternRecognizer("BADGE", patterns=[Pattern("badge", r"\bNB-\d{4}\b", 0.9)])
checks = {"badge": Recognised(badges), "card": Recognised(CreditCardRecognizer())}
guard = guardkit.loads(POLICY, checks=checks)

text = "badge NB-1234 paid with 4111 1111 1111 1111"
print("guardkit:", guard.check(text).message)
for result in EntitiesRecognizer(["card"]).analyze(text, ["CREDIT_CARD"]):
    print(f"presidio: {result.entity_type} {result.start}-{result.end}")
