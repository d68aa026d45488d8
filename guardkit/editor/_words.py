"""What the words of the language do, in a sentence each, and how declarations are begun."""

from __future__ import annotations

DECLARATIONS: dict[str, str] = {
    "apply": "Puts a rule of a module in force, perhaps on fewer surfaces than it offers.",
    "check": "Names one way to look at a text: its kind, and what that kind needs to know.",
    "context": "What the model is told: the compiled system prompt, perhaps with a canary.",
    "defaults": "What holds for the whole policy: budgets, hold-back, the life of a session.",
    "exempt": "Lifts one rule under a condition until a day, with an owner and a reason.",
    "guardkit": "The edition of the language; the first line of a file.",
    "model": "What the model itself is expected to refuse and to answer.",
    "module": "The name of a file that others use; the second line.",
    "monitor": "Watches how often something happens, and rings when that leaves its bounds.",
    "param": "A value that a deployment, or the user of a module, may set.",
    "policy": "The name of a policy; the second line of a file.",
    "principle": "A sentence a reply has to keep to; `revise by` asks for another reply.",
    "probe": "A file of cases and the rate at which they have to be stopped or passed.",
    "rule": "What happens when a condition holds on a surface.",
    "sequence": "Two events in order: what came in, and what then goes out.",
    "test": "Events, and what the policy has to answer to them.",
    "tier": "Narrows what the rules of one tier may do, and what an error means for them.",
    "tiers": "The order of authority, the highest first.",
    "use": "Brings the checks and rules of a module, or a listing of tools.",
    "window": "Counts how often rules fired over the last turns of a session.",
}
"""Every word that begins a declaration."""

CLAUSES: dict[str, str] = {
    "alarm": "The rate at which the monitor rings, and the time it is measured over.",
    "answers": "Topics the model is expected to answer: refusing them is an over-refusal.",
    "budget": "How long the checks of a surface may take, or how many replies may be refusals.",
    "canary": "Puts a mark into the system prompt that no reply may repeat.",
    "cases": "A file of cases: JSON lines with a `text` each.",
    "count": "The rules whose firing is counted.",
    "disguise": "Disguises each case is also tried in.",
    "expect": "What has to come out.",
    "first": "The event a sequence begins with.",
    "given": "What a check answers in this test, whatever it would say; `fails` for no answer.",
    "hold_back": "How many characters of a stream are held back while a match may be growing.",
    "hold_limit": "The longest a match may grow before the stream counts as unknown.",
    "input": "What the user said.",
    "last": "How many turns the window looks back on.",
    "mode": "`enforce`, `shadow` (only recorded) or `retired`.",
    "note": "A sentence for whoever reads this next.",
    "on": "The surfaces the rule judges.",
    "on_error": "What it means when a check could not answer; a rule may only tighten it.",
    "output": "What the model answered.",
    "owner": "Who answers for it.",
    "principle": "A principle that the system prompt states.",
    "reason": "Why the exemption was granted.",
    "refs": "The risks, weaknesses and laws it is about.",
    "refuses": "Topics the model is expected to refuse by itself.",
    "retrieved": "A document that was looked up.",
    "say": "A sentence of the system prompt.",
    "seed": "Makes the draw of disguises the same every time.",
    "session_ttl": "How long a session is remembered after its last event.",
    "severity": "`critical`, `high`, `medium`, `low` or `info`; `medium` when left out.",
    "text": "What the principle demands.",
    "then": "What happens when the rule fires.",
    "tier": "The tier it stands in: what it may do, and who may lift it.",
    "title": "What it is, for people.",
    "tool_call": "A call of a tool, before the tool runs.",
    "tool_result": "What a tool gave back.",
    "unless": "Where this holds the rule does not fire.",
    "unread": "What it means when a part of a message cannot be read.",
    "until": "The last day it holds.",
    "version": "Counted by whoever changes it.",
    "watch": "A condition or a rule, whose rate is measured.",
    "when": "The condition the rule fires on.",
    "within": "How many turns may lie between the two events.",
}
"""Every word that begins a clause or a step."""

ACTIONS: dict[str, str] = {
    "block": "The text goes no further; the message, if any, is what the user sees.",
    "flag": "The text goes on, and the rule is in the record.",
    "hold": "The text waits for a person to decide, then for what stands after `else`.",
    "pass": "The text goes on.",
    "revise": "The model is asked for another reply that keeps to a principle.",
    "rewrite": "What was found, or all of the text, is replaced.",
}

SURFACES: dict[str, str] = {
    "conversation": "The session as a whole, after the rules of each event.",
    "input": "What a user or a client says.",
    "output": "What the model answers, and its reasoning.",
    "retrieved": "Documents that were looked up for the model.",
    "tool_call": "Calls of tools, before they run.",
    "tool_result": "What tools give back.",
}

OPERATORS: dict[str, str] = {
    "all": "`all of (…)`: every member holds.",
    "and": "Both hold. `and` and `or` mix only with brackets.",
    "any": "`any of (…)`: one member holds.",
    "at": "`CHECK at fpr 0.5%`: the score at which so many harmless texts are stopped.",
    "cascade": "Steps from cheap to dear; the first that answers decides.",
    "in": "One of a list.",
    "none": "`none of (…)`: no member holds.",
    "not": "The opposite; unknown stays unknown.",
    "or": "One of them holds. `and` and `or` mix only with brackets.",
    "sequence": "`sequence NAME`: the sequence has just completed.",
}

SNIPPETS: dict[str, str] = {
    "apply": "apply ${1:pii}.${2:mask}",
    "check": "check ${1:name} = ${2:pattern} {\n  $0\n}",
    "context": 'context {\n  say "${1:You are an assistant.}"\n}',
    "defaults": "defaults {\n  budget input ${1:25ms}\n}",
    "exempt": (
        'exempt ${1:some_rule} {\n  tier   ${2:safety}\n  owner  "${3:owner}"\n'
        '  reason "${4:why}"\n  until  ${5:2027-01-31}\n}'
    ),
    "model": "model {\n  answers ${1:some_check}\n}",
    "monitor": "monitor ${1:name} {\n  watch ${2:some_rule}\n  alarm above ${3:5%} over ${4:1h}\n}",
    "param": "param ${1:name}: ${2:score} = ${3:0.85}",
    "principle": 'principle ${1:name} {\n  tier ${2:guidelines}\n  text "${3:Never …}"\n}',
    "probe": (
        'probe ${1:name} {\n  cases  "${2:cases.jsonl}"\n  expect ${3:stopped} at least ${4:95%}\n}'
    ),
    "rule": (
        "rule ${1:name} {\n  tier ${2:safety}\n  on   ${3:input}\n  when ${4:some_check}\n"
        '  then block "${5:message}"\n}'
    ),
    "sequence": (
        "sequence ${1:name} {\n  first  tool_result ${2:tool.name}\n"
        "  then   tool_call ${3:tool.name}\n  within ${4:20} turns\n}"
    ),
    "test": 'test "${1:title}" {\n  input "${2:text}"\n  expect ${3:block} by ${4:some_rule}\n}',
    "use": 'use "${1:std/pii}" version "${2:1}" as ${3:pii}',
    "window": "window ${1:name} { count ${2:some_rule} last ${3:10} turns per session }",
}
"""How a declaration is begun, with places to fill in as editors write them."""

JOINING: frozenset[str] = frozenset(
    {"above", "as", "becomes", "below", "by", "chunk", "confidence", "each", "else", "fails"}
    | {"for", "hash", "if", "keep", "least", "list", "mask", "matches", "may", "most", "no", "of"}
    | {"over", "per", "pseudonym", "refusals", "session", "tools", "turns", "where", "with", "yes"}
)
"""Words that join others; what they do is said where those are."""

UNITS: frozenset[str] = frozenset({"bytes", "chars", "lines", "tokens", "words"})

PARAM_TYPES: tuple[str, ...] = (
    "boolean",
    "date",
    "domain",
    "duration",
    "email",
    "money",
    "number",
    "path",
    "score",
    "text",
    "url",
)
OUTCOMES: tuple[str, ...] = ("stopped", "passed")
APPLY_LABELS: dict[str, str] = {
    "message": "What the user sees when it blocks.",
    "mode": "`enforce`, `shadow` or `retired`.",
    "severity": "Another severity than the module's.",
    "surface": "The surfaces it judges here, of those it offers.",
}


EVERY: frozenset[str] = frozenset(
    {*DECLARATIONS, *CLAUSES, *ACTIONS, *SURFACES, *OPERATORS, *JOINING, *UNITS}
)
"""Every word of the language."""


def said_of(word: str) -> str:
    """A sentence on a word of the language, wherever it stands; empty for marks and units."""
    for table in (DECLARATIONS, CLAUSES, ACTIONS, OPERATORS):
        if word in table:
            return table[word]
    return SURFACES.get(word, "")
