"""W9: how long an editor waits for `guardkit lsp` on a policy of 500 lines.

`python -m benchmarks.lsp` starts the server as an editor does, types into the policy, and measures
from the keystroke to the answer. A finding of the syntax may be told before the meaning is worked
out, so both are measured: the first word about a version, and the whole of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from guardkit.diagnostics import Source
from guardkit.syntax import _parse, parse
from tests.editor._client import Client, place_of

LINES = 500
HEAD = """\
guardkit 1
policy shop
  title   "A shop of many rules"
  owner   "risk@shop.example"
  version "1"

"""
MODULES = """\
use "std/pii" version "1" as pii with (entities: [card, iban, email])
use "std/secrets" version "1" as secrets

"""
PART = """\
# The promise of department {0}, and who may break it.
check promise_{0} = pattern {{
  match /\\bpromise{0}[a-z]{{1,8}}\\b/i
  match /\\bvow{0}\\b/i
  label "promise"
}}

check near_{0} = similarity {{
  examples ["Where is parcel {0}?", "When does parcel {0} arrive?"]
}}

rule keep_{0} {{
  tier     safety
  severity high
  refs     "OWASP LLM02:2025"
  on       output
  when     promise_{0} and not near_{0} >= 0.9{1}
  then     rewrite matches as "[{{label}}]"
}}

rule stop_{0} {{
  tier safety
  on   input
  when 2 of (promise_{0}, near_{0} >= 0.80, {2} >= 3)
  then block "Please ask department {0}."
}}

test "department {0} keeps its word" {{
  output "We vow{0} it."
  expect rewrite by keep_{0}
}}

"""


def policy(lines: int = LINES, *, modules: bool = True) -> str:
    """A policy of so many lines that compiles; with modules or all its own."""
    text = HEAD + (MODULES if modules else "")
    text += "check longest = repetition { }\n\n"
    number = 0
    while text.count("\n") < lines:
        text += PART.format(number, number % 9, "longest")
        number += 1
    kept = text.splitlines(keepends=True)[:lines]
    # The last part may be cut in two: what is left of it goes.
    while kept and not kept[-1].startswith("}"):
        kept.pop()
    while len(kept) < lines:
        kept.append("# The end.\n")
    return "".join(kept)


class Waited(NamedTuple):
    """Times in milliseconds, each sorted."""

    first: list[float]
    whole: list[float]
    completion: list[float]
    parse: list[float]

    def p(self, name: str, share: float) -> float:
        """A quantile of one of them."""
        times: list[float] = getattr(self, name)
        return times[min(len(times) - 1, int(len(times) * share))]


def measure(text: str, times: int, folder: Path) -> Waited:
    """Type into a policy so often, and wait for the answers as an editor does."""
    path = folder / "shop.guard"
    path.write_text(text, encoding="utf-8")
    uri = path.as_uri()
    line, _ = place_of(text, "rule stop_3")
    first, whole, completion, parsed = [], [], [], []
    with Client(folder=folder) as client:
        client.open(uri, text)
        client.findings(uri, 1)
        client.at("completion", uri, line + 3, 7)  # the grammar is ready from here on
        for number in range(times):
            # Half a word: the syntax is broken, and completion is asked for at once.
            began = time.perf_counter()
            version = client.type(uri, line + 3, 7, "%")
            found = client.findings(uri, version, lambda all: any(_is(one, "GK1") for one in all))
            first.append(_ms(began))
            assert found, "the slip was not found"
            began = time.perf_counter()
            items = client.at("completion", uri, line + 3, 7)["items"]
            completion.append(_ms(began))
            assert any(item["label"] == "promise_3" for item in items)
            # A name that nobody has: only the whole check can know.
            client.type(uri, line + 3, 7, "", 1)
            name = f"nobody_{number} and "
            began = time.perf_counter()
            version = client.type(uri, line + 3, 7, name)
            client.findings(uri, version, lambda all: any(_is(one, "GK201") for one in all))
            whole.append(_ms(began))
            version = client.type(uri, line + 3, 7, "", len(name))
            client.findings(uri, version, lambda all: not any(_is(one, "GK201") for one in all))
            _parse.forget()
            began = time.perf_counter()
            parse(Source("shop.guard", text))
            parsed.append(_ms(began))
    return Waited(sorted(first), sorted(whole), sorted(completion), sorted(parsed))


def _is(finding: dict[str, Any], code: str) -> bool:
    return str(finding["code"]).startswith(code)


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def main(arguments: list[str]) -> int:
    """Measure and print: a line for each policy and each kind of answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    told: dict[str, dict[str, float]] = {}
    for name, text in (("own checks", policy(modules=False)), ("modules", policy())):
        with tempfile.TemporaryDirectory() as folder:
            waited = measure(text, chosen.times, Path(folder))
        told[name] = {
            f"{what}_{quantile}": round(waited.p(what, share), 1)
            for what in ("completion", "first", "whole", "parse")
            for quantile, share in (("p50", 0.5), ("p95", 0.95))
        }
    if chosen.json:
        print(json.dumps(told, indent=2))
        return 0
    print(f"policy of {LINES} lines, p50 / p95 of {chosen.times}")
    for name, row in told.items():
        print(name)
        for what in ("completion", "first", "whole", "parse"):
            print(f"  {what:<11} {row[f'{what}_p50']:7.1f} / {row[f'{what}_p95']:7.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
