// What a verdict says, in pictures of words: marks in the text, the tree, what each surface costs.

import { badge, counted, h, NONE, spelled, table } from "./dom.js";

/** A text with its findings marked. Offsets count code points. */
export function marked(text, findings) {
  const letters = Array.from(text);
  const spots = findings.filter((found) => !found.pointer && found.end > found.start);
  const cuts = [...new Set([0, letters.length, ...spots.flatMap((found) => [found.start, found.end])])].sort((a, b) => a - b);
  const made = [];
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    const part = letters.slice(cuts[i], cuts[i + 1]).join("");
    const over = spots.filter((found) => found.start <= cuts[i] && found.end >= cuts[i + 1]);
    if (!over.length) {
      made.push(part);
      continue;
    }
    const names = [...new Set(over.map((found) => found.label || found.check))].join(", ");
    const rules = [...new Set(over.map((found) => found.rule))].join(", ");
    const isLast = over.some((found) => found.end === cuts[i + 1]);
    made.push(h("mark", { title: `${names} · ${rules}` }, part, isLast ? h("span.label", null, names) : null));
  }
  return h("div.shown", { dir: "auto" }, made);
}

const RANKS = ["yes", "unknown", "not asked", "no"];

function branch(told) {
  return h("li", { className: `a-${told.answer.replace(" ", "-")}` },
    h("span.answer", null, told.answer),
    h("span.title", null, told.title),
    told.detail ? h("span.detail", null, told.detail) : null,
    told.below.length ? h("ul", null, told.below.map(branch)) : null);
}

/** Every rule as a tree of conditions and answers, those first that fired. */
export function tree(rules) {
  if (!rules.length) return h("p.soft", null, "No rule judges this surface.");
  const order = [...rules].sort((one, other) => RANKS.indexOf(one.answer) - RANKS.indexOf(other.answer));
  return h("div.trees", null, order.map((rule) =>
    h("details", { open: rule.answer === "yes" || rule.answer === "unknown", className: `rule a-${rule.answer.replace(" ", "-")}` },
      h("summary", null, h("span.answer", null, rule.answer), h("span.title", null, rule.title),
        h("span.detail", null, `${rule.detail}${rule.fate && rule.fate !== "fired" ? `, ${rule.fate}` : ""}`)),
      h("ul.tree", null, rule.below.map(branch)))));
}

export function findings(found) {
  if (!found.length) return null;
  return table("Findings", [["found", "left"], ["by rule", "left"], ["check", "left"], ["at"], ["view", "left"], ["score"]],
    found.map((one) => h("tr", null,
      h("th", { scope: "row" }, one.label || NONE), h("td.left", null, one.rule), h("td.left", null, one.check),
      h("td", null, one.pointer || `${one.start}–${one.end}`), h("td.left", null, one.view),
      h("td", null, one.score === null ? NONE : one.score.toFixed(3)))));
}

/** The first lines of a verdict: what is done, by whom, and what may be delivered. */
export function headline(verdict) {
  const by = verdict.fired.length ? verdict.fired : null;
  return h(`div.verdict.${verdict.action}`, null,
    h("p.action", null, badge(verdict.action), by ? h("span", null, ` by ${by.join(", ")}`) : h("span", null, " no rule stands against it"),
      h("span.took", null, spelled(verdict.elapsed_us))),
    verdict.shadow.length ? h("p.soft", null, `In shadow: ${verdict.shadow.join(", ")}`) : null,
    verdict.exempted.length ? h("p.soft", null, `Exempted: ${verdict.exempted.join(", ")}`) : null,
    verdict.unknown.length ? h("p.warn", null, `Could not answer: ${verdict.unknown.join(", ")}`) : null,
    verdict.session_closed ? h("p.warn", null, "The session is closed.") : null);
}

/** What one text of 1 KB costs, against the budgets. */
export function costs(made) {
  if (!made.length) return h("p.soft", null, "No rule judges anything.");
  return h("div.costs", null, made.map((one) => {
    const isOver = one.budget_us !== null && one.judged_us > one.budget_us;
    const top = Math.max(one.budget_us ?? 0, one.judged_us, 1);
    return h("div.cost", null,
      h("p", null, h("b", null, one.surface), ` worst ${spelled(one.worst_us)}, usually ${spelled(one.expected_us)}`,
        h(`span.budget${isOver ? ".over-budget" : ""}`, null,
          one.budget_us === null ? "no budget" : `${isOver ? "over" : "within"} ${spelled(one.budget_us)}${one.per_chunk ? " per chunk" : ""}`)),
      one.budget_us === null ? null : h("meter", { min: "0", max: String(top), value: String(one.judged_us), high: String(one.budget_us ?? top), "aria-label": `${one.surface}: worst cost against the budget` }),
      one.path.length ? h("p.path", null, `${one.rule}: ${one.path.map((step) => `${step.name} ${spelled(step.us)}`).join(" → ")}`) : null);
  }));
}

export function views(made) {
  return made.map((view) => h("div.one-view", null, h("h4", null, view.name),
    h("div.shown.small", { dir: "auto" }, view.text || h("span.soft", null, "the arguments of the call")), view.cut ? h("p.soft", null, "cut here") : null));
}

export function answers(made, kinds) {
  const names = Object.keys(made);
  if (!names.length) return null;
  return table("Checks that were asked", [["check", "left"], ["kind", "left"], ["said"]], names.map((name) => {
    const said = made[name];
    const spelledOut = said === null ? "could not answer" : typeof said === "number" ? said.toFixed(4) : said === true ? "yes" : said === false ? "no" : said;
    return h("tr", null, h("th", { scope: "row" }, name), h("td.left", null, kinds[name] ?? ""), h("td", null, spelledOut));
  }));
}

export const summed = (diagnostics, more) => {
  const errors = diagnostics.filter((one) => one.level === "error").length;
  const others = diagnostics.length - errors + more;
  return [errors && `${counted(errors)} error${errors > 1 ? "s" : ""}`, others && `${counted(others)} note${others > 1 ? "s" : ""}`].filter(Boolean).join(", ");
};
