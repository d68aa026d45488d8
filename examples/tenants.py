"""Two tenants in one process: a policy each, sessions that never meet.

Offline. Run it with `python examples/tenants.py`.
"""

from __future__ import annotations

import guardkit

POLICY = """
guardkit 1
policy {name}

param kinds: list of text = ["email"]

check private = entities {{ kinds [{kinds}] }}

rule pseudonyms {{
  tier safety
  on   input
  when private
  then rewrite matches as pseudonym
}}
"""
GUARDS = {
    "acme": guardkit.loads(POLICY.format(name="acme", kinds="email")),
    "globex": guardkit.loads(POLICY.format(name="globex", kinds="email, phone")),
}


def ask(prompt: str, tenant: str, user: str) -> str:
    """What a web handler would do: the guard of the tenant, the session of the user."""
    guarded = GUARDS[tenant](model, tenant=tenant, session=user)
    return guarded(prompt)


def model(prompt: str) -> str:
    print(f"  the model reads: {prompt}")
    return "I noted [EMAIL_1]."


if __name__ == "__main__":
    for tenant, user, prompt in (
        ("acme", "ann", "I am ann@acme.example, +49 30 901820."),
        ("globex", "ann", "I am ann@globex.example, +49 30 901820."),
        ("acme", "bo", "Who wrote before me?"),
    ):
        print(f"{tenant}/{user}")
        print(f"  the user reads:  {ask(prompt, tenant, user)}")
