// The words of the policy language, coloured. It cuts a text into pieces and loses nothing of it.

export const DECLARATIONS = [
  "apply", "check", "context", "defaults", "exempt", "guardkit", "model", "module", "monitor", "param",
  "policy", "principle", "probe", "rule", "sequence", "test", "tier", "tiers", "use", "window",
];
export const CLAUSES = [
  "alarm", "answers", "budget", "canary", "cases", "count", "disguise", "expect", "first", "given",
  "hold_back", "hold_limit", "input", "last", "mode", "note", "on", "on_error", "output", "owner",
  "principle", "reason", "refs", "refuses", "retrieved", "say", "seed", "session_ttl", "severity", "text",
  "then", "tier", "title", "tool_call", "tool_result", "unless", "unread", "until", "version", "watch",
  "when", "within",
];
export const VERBS = ["block", "hold", "revise", "rewrite", "flag", "pass"];
export const SURFACES = ["input", "retrieved", "tool_call", "tool_result", "output", "conversation"];
export const CONNECTIVES = ["and", "or", "not", "in", "if", "else", "where", "with"];

const declarations = new Set(DECLARATIONS);
const clauses = new Set(CLAUSES);
const verbs = new Set(VERBS);
const surfaces = new Set(SURFACES);
const joins = new Set([...CONNECTIVES, "yes", "no", "of", "any", "all", "none", "at", "for", "by", "as", "cascade"]);

const PIECE = new RegExp(
  [
    "(?<comment>#[^\\n]*)",
    '(?<string>"(?:[^"\\\\\\n]|\\\\.)*"?)',
    "(?<regex>(?<=match[ \\t]+)/(?:\\\\.|[^/\\\\\\n])+/[A-Za-z]*)",
    "(?<number>-?\\b\\d+(?:-\\d\\d-\\d\\d|\\.\\d+%?|%|(?:ms|s|m|h|d|w)\\b)?)",
    "(?<word>\\.?[A-Za-z_][A-Za-z0-9_]*)",
    "(?<sign>[<>=!]=?|[{}()\\[\\]>,:])",
  ].join("|"),
  "g",
);

function kindOf(word, at, text, isFirst) {
  if (word.startsWith(".")) return "";
  const startsLine = at === 0 || text[at - 1] === "\n";
  if (startsLine && declarations.has(word)) return "declaration";
  if (isFirst && clauses.has(word)) return "clause";
  if (verbs.has(word)) return "verb";
  if (joins.has(word)) return "join";
  if (surfaces.has(word)) return "surface";
  return "";
}

/** Pieces of a policy as [kind, text], in order; an empty kind is plain. */
export function pieces(text) {
  const found = [];
  let at = 0;
  let named = false;
  for (const match of text.matchAll(PIECE)) {
    if (match.index > at) found.push(["", text.slice(at, match.index)]);
    const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    const word = match[0];
    if (kind !== "word") found.push([kind, word]);
    else {
      const before = text.slice(Math.max(text.lastIndexOf("\n", match.index - 1) + 1, match.index - 200), match.index);
      const isFirst = /(?:^|[{])\s*$/.test(before);
      const made = named ? "name" : kindOf(word, match.index, text, isFirst);
      found.push([made, word]);
      named = made === "declaration" && ["check", "rule", "policy", "module", "window", "sequence", "principle", "param", "probe", "monitor", "exempt"].includes(word);
    }
    if (kind !== "word" && kind !== "comment") named = false;
    at = match.index + word.length;
  }
  if (at < text.length) found.push(["", text.slice(at)]);
  return found;
}

/** Where code points begin in the text as a browser counts it. */
export function points(text) {
  if (!/[\ud800-\udfff]/.test(text)) return { unit: (point) => Math.min(point, text.length) };
  const starts = [];
  let unit = 0;
  for (const character of text) {
    starts.push(unit);
    unit += character.length;
  }
  return { unit: (point) => starts[point] ?? text.length };
}
