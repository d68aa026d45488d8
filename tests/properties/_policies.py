"""Random policies as text: seeded, rich, and right by construction.

`random_policy` gives text that compiles without an error (warnings are welcome); `mutate` breaks
any text in the ways editors and people do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

ANSWERS = ("pattern", "words", "entities", "links", "invisible", "script", "echo")
SCORES = ("similarity", "classifier")
TEXT_SURFACES = ("input", "retrieved", "output", "tool_result")
TOOLS = {
    "mail.send": ("to", "body"),
    "mail.read": ("id",),
    "web.fetch": ("url",),
    "web.post": ("url",),
}
WORDS = ("card", "refund", "loan", "secret", "ledger", "weather", "poem", "balance", "transfer")
SEVERITIES = ("critical", "high", "medium", "low", "info")


@dataclass
class Written:
    """A random policy taken apart, so that its declarations can be put in any order."""

    header: str
    declarations: list[str] = field(default_factory=list)

    def text(self, order: list[int] | None = None) -> str:
        indexes = order if order is not None else range(len(self.declarations))
        return "\n\n".join([self.header, *(self.declarations[i] for i in indexes)]) + "\n"


class PolicyMaker:
    """Writes one random policy."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.answers: list[str] = []
        self.scores: list[str] = []
        self.calibrated: list[str] = []
        self.numbers: list[str] = []
        self.labels: list[str] = []
        self.spans: set[str] = set()
        self.rules: list[tuple[str, str]] = []
        self.windows: list[str] = []
        self.sequences: list[str] = []
        self.has_tools = False
        self.has_score_param = False

    def make(self) -> Written:
        r = self.random
        written = Written('guardkit 1\npolicy made_up\n  owner   "qa@example.com"\n  version "1"')
        add = written.declarations.append
        if r.random() < 0.4:
            add("tiers safety > ethics > guidelines > helpfulness")
        if r.random() < 0.2:
            add("tier guidelines may rewrite, flag on_error flag")
            self.guidelines_may = ("rewrite", "flag")
        else:
            self.guidelines_may = ("block", "hold", "rewrite", "flag")
        if r.random() < 0.5:
            add(self._defaults())
        self.has_tools = r.random() < 0.4
        if self.has_tools:
            add('use tools "tools/mcp-tools.json" as tool')
        self.has_score_param = r.random() < 0.4
        if self.has_score_param:
            add(f"param limit: score = 0.{r.randint(10, 99)}")
        for number in range(r.randint(2, 6)):
            add(self._check(f"c{number}"))
        if self.has_tools and r.random() < 0.5:
            self.sequences.append("flow")
            add(self._sequence("flow"))
        for number in range(r.randint(1, 6)):
            add(self._rule(f"r{number}"))
        countable = [name for name, surface in self.rules if surface != "conversation"]
        if countable and r.random() < 0.3:
            self.windows.append("w0")
            names = ", ".join(sorted(set(r.choices(countable, k=2))))
            add(f"window w0 {{ count {names} last {r.randint(1, 20)} turns per session }}")
            add(self._conversation_rule("r_session"))
        if r.random() < 0.4:
            add(self._exemption())
        if r.random() < 0.4:
            add(self._test())
        return written

    # --- pieces

    def _defaults(self) -> str:
        r = self.random
        lines = [f"  budget    input {r.randint(100, 900)}ms"]
        if r.random() < 0.5:
            lines.append(f"  budget    output {r.randint(100, 900)}ms per chunk")
        lines.append("  hold_back all")
        return "defaults {\n" + "\n".join(lines) + "\n}"

    def _check(self, name: str) -> str:
        r = self.random
        kind = r.choice([*ANSWERS[:4], *SCORES, *SCORES, "length", "classifier-label", "invisible"])
        word, other = r.sample(WORDS, 2)
        body = {
            "pattern": f"  match /\\b{word}-\\d{{2,8}}\\b/{r.choice(['', 'i'])}",
            "words": f'  list ["{word}", "{other}"]',
            "entities": f"  kinds [{', '.join(sorted(r.sample(['card', 'iban', 'email'], 2)))}]",
            "links": f'  allow ["{word}.example", "*.{other}.example"]',
            "invisible": "",
            "similarity": f'  examples ["{word} {other}"]',
            "classifier": f'  model mini\n  head  "h{r.randint(0, 3)}"\n  label "{word}"',
            "length": "",
            "classifier-label": '  model  mini\n  head   "kind"\n  labels ["a", "b", "c"]',
        }[kind]
        if kind in ANSWERS:
            self.answers.append(name)
            if kind != "links" or r.random() < 0.9:
                self.spans.add(name)
        elif kind in SCORES:
            self.scores.append(name)
            if kind == "classifier":
                self.calibrated.append(name)
        elif kind == "length":
            self.numbers.append(name)
        else:
            self.labels.append(name)
        kind = "classifier" if kind == "classifier-label" else kind
        return f"check {name} = {kind} {{\n{body}\n}}" if body else f"check {name} = {kind} {{ }}"

    def _atom(self, surfaces: tuple[str, ...]) -> str:
        r = self.random
        choices = ["context"]
        choices += ["answer"] * 3 if self.answers else []
        choices += ["score"] * 3 if self.scores else []
        choices += ["number"] if self.numbers else []
        choices += ["label"] if self.labels else []
        if surfaces == ("tool_call",):
            choices += ["call"] * 2 + (["sequence"] if self.sequences else [])
        match r.choice(choices):
            case "answer":
                return r.choice(self.answers)
            case "score":
                name = r.choice(self.scores)
                if self.has_score_param and r.random() < 0.3:
                    return f"{name} >= limit"
                if r.random() < 0.1 and name in self.calibrated:
                    return f"{name} at fpr {r.randint(1, 9)}%"
                return f"{name} {r.choice(['>=', '<'])} 0.{r.randint(1, 9)}0"
            case "number":
                op = r.choice([">=", "<", "==", "!="])
                return f"{r.choice(self.numbers)} {op} {r.randint(1, 500)}"
            case "label":
                name = r.choice(self.labels)
                return r.choice([f'{name} == "a"', f'{name} != "b"', f'{name} in ["a", "c"]'])
            case "call":
                domain = r.choice(['"northbank.example"', '"*.example.org"'])
                return f"call.to.domain {r.choice(['in', 'not in'])} [{domain}]"
            case "sequence":
                return f"sequence {r.choice(self.sequences)}"
            case _:
                return r.choice(
                    [
                        'context.channel == "web"',
                        'context.channel != "branch"',
                        'context.country in ["DE", "AT"]',
                        'context.country not in ["FR"]',
                        f"context.age < {r.randint(10, 90)}",
                        "context.logged_in == yes",
                    ]
                )

    def _condition(self, surfaces: tuple[str, ...], depth: int = 0) -> str:
        r = self.random
        roll = r.random()
        if depth >= 3 or roll < 0.35:
            return self._atom(surfaces)
        inner = [self._unit(surfaces, depth + 1) for _ in range(r.randint(2, 3))]
        if roll < 0.5:
            return " and ".join(inner)
        if roll < 0.65:
            return " or ".join(inner)
        if roll < 0.75:
            return "not " + self._bracketed(surfaces, depth + 1)
        members = ", ".join(self._condition(surfaces, depth + 1) for _ in range(3))
        if roll < 0.88:
            return f"{r.choice(['2', 'any', 'all', 'none'])} of ({members})"
        steps = "\n".join(
            f"    {r.choice(['yes', 'no '])} if {self._condition(surfaces, depth + 1)}"
            for _ in range(r.randint(1, 3))
        )
        return f"cascade {{\n{steps}\n    else {r.choice(['yes', 'no'])}\n  }}"

    def _unit(self, surfaces: tuple[str, ...], depth: int) -> str:
        text = self._condition(surfaces, depth)
        plain = not any(joiner in text for joiner in (" and ", " or "))
        return text if plain else f"({text})"

    def _bracketed(self, surfaces: tuple[str, ...], depth: int) -> str:
        return f"({self._condition(surfaces, depth)})"

    def _rule(self, name: str) -> str:
        r = self.random
        tier = r.choice(["safety", "safety", "ethics", "guidelines", "helpfulness"])
        on_tools = self.has_tools and r.random() < 0.3
        surfaces = (
            ("tool_call",)
            if on_tools
            else tuple(sorted(set(r.choices(TEXT_SURFACES, k=r.randint(1, 2)))))
        )
        target = "tool_call tool.mail.send" if on_tools else ", ".join(surfaces)
        condition = self._condition(surfaces)
        action = self._action(tier, condition)
        on_error = {"safety": "block", "ethics": "block", "guidelines": "flag"}.get(tier)
        lines = [f"  tier {tier} severity {r.choice(SEVERITIES)}", f"  on {target}"]
        if r.random() < 0.2 and name != "r0":  # one rule always acts
            lines.append(f"  mode {r.choice(['shadow', 'retired', 'enforce'])}")
        lines.append(f"  when {condition}")
        if r.random() < 0.2:
            lines.append(f"  unless {self._atom(surfaces)}")
        lines.append(f"  then {action}")
        if on_error and r.random() < 0.2:
            lines.append(f"  on_error {on_error}")
        r.shuffle(lines)
        self.rules.append((name, surfaces[0]))
        return f"rule {name} {{\n" + "\n".join(lines) + "\n}"

    def _action(self, tier: str, condition: str) -> str:
        r = self.random
        if tier == "helpfulness":
            return "flag"
        may = self.guidelines_may if tier == "guidelines" else ("block", "hold", "rewrite", "flag")
        match r.choice(may):
            case "block":
                return 'block "No." for session' if r.random() < 0.1 else 'block "No, {rule}."'
            case "hold":
                return 'hold for "desk" within 15m else block'
            case "rewrite":
                # Spans need a positive check; the whole text can always be replaced.
                if condition in self.spans:
                    return r.choice(
                        [
                            'rewrite matches as "[{label}]"',
                            "rewrite matches as mask keep last 4",
                            "rewrite matches as hash",
                            "rewrite matches as pseudonym",
                        ]
                    )
                return 'rewrite all as "Removed."'
            case _:
                return "flag"

    def _conversation_rule(self, name: str) -> str:
        op = self.random.choice([">=", ">", "=="])
        return (
            f"rule {name} {{\n  tier safety\n  on conversation\n"
            f'  when w0 {op} {self.random.randint(1, 4)}\n  then block "Closed." for session\n}}'
        )

    def _sequence(self, name: str) -> str:
        where = f" where {self.scores[0]} >= 0.60" if self.scores else ""
        return (
            f"sequence {name} {{\n  first tool_result tool.web.fetch, tool.mail.read{where}\n"
            f"  then tool_call tool.mail.send, tool.web.post\n"
            f"  within {self.random.randint(1, 30)} turns\n}}"
        )

    def _exemption(self) -> str:
        name = self.random.choice(self.rules)[0]
        return (
            f'exempt {name} {{\n  tier safety\n  when context.environment == "drill"\n'
            f'  owner "sec@example.com"\n  reason "Exercise"\n  until 2027-06-30\n}}'
        )

    def _test(self) -> str:
        given = "".join(f"  given {name} = 0.5\n" for name in self.scores[:1])
        given += "".join(f"  given {name} fails\n" for name in self.answers[:1])
        expected = self.random.choice(["pass", "block"])
        return f'test "made up" {{\n{given}  input "hello"\n  expect {expected}\n}}'


def random_policy(seed: int) -> Written:
    return PolicyMaker(seed).make()


# --- mutations

_SPLICES = (
    "rule x {\n",
    "}",
    "{",
    "(",
    ")",
    '"',
    "/",
    "and",
    " or ",
    "not ",
    "2 of (",
    "cascade {",
    "else no",
    "when",
    "then block",
    "\u202e",
    "\u200b",
    "é",
    "аdmin",
    "0.5",
    "1e9",
    "-1",
    "99999999999999999999",
    "5%",
    "25ms",
    "2027-02-30",
    "# comment\n",
    "\n\n",
    "\r\n",
    "\t",
    "\x00",
    'use "std/pii" version "1" as pii\n',
    "check c0 = pattern { match /(a+)+$/ }\n",
    "check z = pattern { match /(?=x)/ }\n",
    "guardkit 2\n",
    "policy other\n",
    "module m\n",
    "context.",
    "call.to.domain",
    ".domain",
    "[",
    "]",
    ",",
    "=",
    "==",
    ">=",
    "in",
)


def mutate(random: Random, text: str) -> str:
    """One to four breakages."""
    for _ in range(random.randint(1, 4)):
        if not text:
            return random.choice(_SPLICES)
        a, b = sorted(random.randrange(len(text) + 1) for _ in range(2))
        match random.randrange(8):
            case 0:
                text = text[:a] + text[min(b, a + 6) :]
            case 1:
                text = text[:a] + random.choice(_SPLICES) + text[a:]
            case 2:
                code = random.choice([random.randrange(32, 127), random.randrange(0x3000)])
                text = text[:a] + chr(code) + text[a + 1 :]
            case 3:
                lines = text.split("\n")
                lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
                text = "\n".join(lines)
            case 4:
                lines = text.split("\n")
                del lines[random.randrange(len(lines))]
                text = "\n".join(lines)
            case 5:
                words = text.split(" ")
                i, j = random.randrange(len(words)), random.randrange(len(words))
                words[i], words[j] = words[j], words[i]
                text = " ".join(words)
            case 6:
                text = text[:a]
            case _:
                text = text[:a] + text[a:b][:200] + text[a:]
    return text
