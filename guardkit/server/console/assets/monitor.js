// The monitor: the stack live, the last hour, rules and checks, alarms, decisions, policies in force.

import { badge, counted, fill, h, NONE, share, short, spelled, spoken, table, tell, time } from "./dom.js";
import { panel } from "./spark.js";
import { stack } from "./stack.js";
import { every, get } from "./wire.js";

const EVERY_MS = 2000;

const key = (title, big, unit, about, style) =>
  h("div", { className: style ?? null }, h("dt", null, title), h("dd.big", null, big, unit ? h("small", null, ` ${unit}`) : null), h("dd.range", null, about));

function keys(shown) {
  const { traffic, live } = shown;
  const rates = traffic.rates ?? {};
  const percent = (value) => (value === null || value === undefined ? [NONE, ""] : [(100 * value).toFixed(1), "%"]);
  const added = traffic.added ?? {};
  const exchanges = live?.hour?.exchanges ?? {};
  const all = ["answered", "refused", "failed"].reduce((sum, word) => sum + (exchanges[word] ?? 0), 0);
  const refused = ["context", "weights", "model", "provider"].reduce((sum, layer) => sum + (live?.hour?.layers?.[layer]?.refused ?? 0), 0);
  const ringing = (live?.monitors ?? []).filter((one) => one.ringing_since !== null || one.blind_since !== null).length;
  const speed = rates.requests_per_s ?? 0;
  return [
    key("requests", speed >= 10 ? speed.toFixed(0) : speed.toFixed(1), "/s", `${counted(traffic.inside)} under way, ${counted(traffic.totals?.requests)} in all`),
    key("blocked", ...percent(rates.blocked), "of what was judged, last 5 minutes"),
    key("model refused", ...percent(all ? refused / all : null), `${counted(refused)} of ${counted(all)} exchanges, last hour`),
    key("added latency", added.p50_ms === null || added.p50_ms === undefined ? NONE : spelled(1000 * added.p50_ms), "", added.count ? `p95 ${spelled(1000 * added.p95_ms)}, p99 ${spelled(1000 * added.p99_ms)}` : "nothing timed yet"),
    key("alarms", counted(ringing), "", live?.monitors?.length ? `of ${counted(live.monitors.length)} monitor${live.monitors.length > 1 ? "s" : ""}` : "the policy has no monitors", ringing ? "bad-key" : null),
  ];
}

function panels(shown) {
  const hour = shown.traffic.hour ?? [];
  const minutes = shown.live?.minutes ?? hour.map(() => ({}));
  const of = (part, whole) => minutes.map((one) => (one[whole] ? (one[part] ?? 0) / one[whole] : null));
  const sum = (name) => minutes.reduce((total, one) => total + (one[name] ?? 0), 0);
  const percent = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
  const rate = (title, part, whole, style) => ({
    title, values: of(part, whole), style, isShare: true, spell: percent,
    now: share(sum(part), sum(whole)), about: sum(whole) ? ` ${counted(sum(part))} of ${counted(sum(whole))}` : " nothing yet",
  });
  const number = (title, values, style) => ({
    title, values, style, isShare: false, spell: (value) => counted(value), now: counted(values.reduce((a, b) => a + b, 0)), about: " in the hour",
  });
  return [
    number("Requests", hour.map((one) => one.requests), "good"),
    rate("Stopped by the input check", "input stopped", "input", "bad"),
    rate("Refused by the model", "refused", "exchanges", "mark"),
    rate("Stopped by the output check", "output stopped", "output", "bad"),
    number("Failed", hour.map((one) => one.failed + one.upstream_errors), "lost"),
    number("Turned away", hour.map((one) => one.shed), "lost"),
  ].filter((one) => one.values.length > 1);
}

function surfaces(hour) {
  const names = Object.keys(hour?.surfaces ?? {});
  if (!names.length) return [];
  const order = ["pass", "flag", "rewrite", "revise", "hold", "block", "other"];
  return [table("What was judged in the last hour", [["surface", "left"], ["texts"], ["what became of them", "left wide"], ["stopped"], ["p50"], ["p95", "wide"], ["p99"]],
    names.map((name) => {
      const one = hour.surfaces[name];
      const actions = order.filter((action) => one.actions[action]);
      const stopped = (one.actions.block ?? 0) + (one.actions.hold ?? 0);
      const parts = h("span.parts", { "aria-hidden": "true" }, actions.map((action) => {
        const part = h(`i.${action}`, { title: `${action} ${counted(one.actions[action])}` });
        part.style.flexGrow = String(one.actions[action]);
        return part;
      }));
      return h("tr", null, h("th", { scope: "row" }, name), h("td", null, counted(one.events)),
        h("td.left.wide", null, parts, h("span.soft", null, actions.map((action) => `${action} ${counted(one.actions[action])}`).join(", "))),
        h("td", null, share(stopped, one.events)), h("td", null, spelled(one.took.p50_us)), h("td.wide", null, spelled(one.took.p95_us)), h("td", null, spelled(one.took.p99_us)));
    }))];
}

function rules(live) {
  if (!live) return [];
  const events = live.hour?.surfaces ?? {};
  const rows = live.rules.map((rule) => {
    const seen = rule.surfaces.reduce((sum, surface) => sum + (events[surface]?.events ?? 0), 0);
    const fired = rule.counts.fired ?? 0;
    const beside = ["shadow", "exempted", "undecided"].filter((word) => rule.counts[word]).map((word) => `${word} ${counted(rule.counts[word])}`).join(", ");
    const mode = rule.mode !== "enforce" ? rule.mode : rule.share < 100 ? `${rule.share} % of sessions` : "";
    return h("tr", { className: fired ? null : "silent" },
      h("th", { scope: "row" }, rule.name, mode ? h("span.tag", null, mode) : null),
      h("td.left", null, badge(rule.action)), h("td.left.wide", null, rule.surfaces.join(", ")), h("td.left.wide", null, `${rule.tier}, ${rule.severity}`),
      h("td", null, counted(fired)), h("td", null, seen ? share(fired, seen) : NONE), h("td.left.wide", null, beside || NONE),
      h("td.wide", null, spelled(rule.p50_us)), h("td.wide", null, spelled(rule.p95_us)));
  });
  return [table("Rules", [["rule", "left"], ["does", "left"], ["on", "left wide"], ["tier", "left wide"], ["fired"], ["of judged"], ["besides", "left wide"], ["p50", "wide"], ["p95", "wide"]], rows, "the policy has no rules"),
    live.more_rules ? h("p.soft", null, `And ${counted(live.more_rules)} more that fired less.`) : null];
}

function checks(live) {
  if (!live) return [];
  return [table("Checks", [["check", "left"], ["kind", "left"], ["as the compiler says"], ["measured"], ["p50"], ["p95"]],
    live.checks.map((check) => h("tr", null, h("th", { scope: "row" }, check.name), h("td.left", null, check.kind),
      h("td", null, spelled(check.priced_us)), h("td", null, counted(check.timed)), h("td", null, spelled(check.p50_us)), h("td", null, spelled(check.p95_us)))), "the policy has no checks")];
}

function alarms(live) {
  const made = live?.monitors ?? [];
  if (!made.length) return [h("p.soft", null, live?.counted ? "The policy has no monitors." : "Nothing is counted for this policy.")];
  return [h("div.alarms", null, made.map((one) => {
    const rings = one.ringing_since !== null;
    const blind = one.blind_since !== null;
    return h("div", { className: rings || blind ? "alarm rings" : "alarm" },
      h("p.name", null, h("b", null, one.monitor), ` ${one.watches}`),
      h("p.now", null, one.rate === null ? NONE : `${(100 * one.rate).toFixed(1)} %`, h("small", null, ` ${one.direction} ${(100 * one.bound).toFixed(1)} % rings, over ${one.over}`)),
      h("meter", { min: "0", max: "1", value: String(one.nearness), "aria-label": `how near ${one.monitor} is to ringing` }),
      h("p.soft", null, rings ? `ringing since ${time(one.ringing_since)}` : blind ? `blind since ${time(one.blind_since)}: too few answers are known` : `${counted(one.yes)} of ${counted(one.known)} known, ${one.alarms ? `rang ${counted(one.alarms)} time${one.alarms > 1 ? "s" : ""}` : "never rang"}`));
  }))];
}

function recent(shown) {
  return [table("Recent decisions", [["time", "left"], ["action", "left"], ["route", "left"], ["rules", "left wide"], ["tenant", "left wide"], ["took"], ["decision", "left wide"]],
    shown.recent.map((one) => h("tr", null, h("td.left", null, time(one.at)), h("td.left", null, badge(one.action)),
      h("td.left", null, [one.route, one.surface].filter(Boolean).join(" · ")), h("td.left.wide.rules", null, one.rules.join(", ") || NONE), h("td.left.wide", null, one.tenant || NONE),
      h("td", null, one.ms === null ? NONE : spelled(1000 * one.ms)), h("td.left.wide", null, h("code", null, one.decision)))), "no decision yet", true)];
}

function inForce(shown) {
  return [
    table("Policies in force", [["policy", "left"], ["of", "left"], ["digest", "left"], ["rules"], ["in shadow", "wide"]],
      shown.policies.map((one) => h("tr", null, h("th", { scope: "row" }, one.policy), h("td.left", null, one.name || "the server"),
        h("td.left", null, h("code", { title: one.digest }, short(one.digest))), h("td", null, counted(one.rules)), h("td.wide", null, counted(one.shadow)))), "no policy is in force"),
    h("h3", null, "Last loads"),
    shown.reloads.length
      ? h("ol.loads", null, shown.reloads.slice(0, 8).map((one) => h("li", { className: `load ${one.outcome === "refused" ? "refused" : "ok"}` },
        h("p", null, h("b", null, one.outcome), ` ${one.policy || "the server's policy"} `, h("code", { title: one.digest }, short(one.digest)), h("span.soft", null, ` ${time(one.at)}`)),
        one.problems.length ? h("ul.problems", null, one.problems.map((problem) => h("li", null, spoken(problem)))) : null)))
      : h("p.soft", null, "Nothing was loaded since the start."),
  ];
}

export function monitor(place) {
  const when = h("span.when", null, "");
  const pick = h("select", { "aria-label": "Policy to look at" });
  const chooser = h("label.pick", { hidden: true }, "Policy ", pick);
  const section = (title, ...more) => {
    const body = h("div", null);
    place.append(h("section", null, h("h2", null, title, ...more), body));
    return body;
  };
  const row = h("dl.keys", null);
  const picture = h("div", null);
  place.append(h("div.heading", null, h("h1", null, "Monitor"), chooser, when), row, picture);
  const lines = section("The last hour");
  lines.className = "panels";
  const ruled = section("Rules");
  const asked = h("div", null);
  ruled.parentElement.append(h("details", null, h("summary", null, "Latency per check"), asked));
  const judged = section("What was judged");
  const latest = section("Recent decisions", h("small", null, " no text is kept"));
  const alarmed = section("Alarms");
  const force = section("In force");
  place.append(h("div.beside", null, alarmed.parentElement, force.parentElement));
  let chosen = null;
  let rang = null;

  pick.addEventListener("change", () => {
    chosen = pick.value;
    poll.now();
  });

  const poll = every(EVERY_MS, async (signal) => {
    const query = chosen === null ? "" : `?policy=${encodeURIComponent(chosen)}`;
    const shown = await get(`/console/api/monitor${query}`, signal);
    const { live, traffic } = shown;
    chooser.hidden = shown.policies.length < 2;
    fill(pick, [shown.policies.map((one) => one.name), shown.chosen], () => shown.policies.map((one) =>
      h("option", { value: one.name, selected: one.name === shown.chosen }, one.name ? `${one.name}: ${one.policy}` : one.policy)));
    when.replaceChildren(h("i.live", null), ` live, ${time(shown.at)}`);
    fill(row, [traffic, live?.hour, live?.monitors], () => keys(shown));
    const isMoving = (traffic.rates?.requests_per_s ?? 0) > 0 && (live?.hour?.exchanges?.answered ?? 0) > 0;
    fill(picture, [live?.hour?.layers, live?.hour?.exchanges, isMoving], () => stack(live?.hour, isMoving));
    const looked = lines.querySelector("svg:hover");
    if (!looked) fill(lines, [traffic.hour, live?.minutes], () => panels(shown).map(panel));
    fill(judged, live?.hour?.surfaces ?? null, () => {
      const made = surfaces(live?.hour);
      return made.length ? made : [h("p.soft", null, live?.counted ? "Nothing was judged in the last hour." : "Nothing is counted for this policy.")];
    });
    fill(alarmed, live?.monitors ?? null, () => alarms(live));
    fill(latest, shown.recent, () => recent(shown));
    fill(ruled, [live?.rules, live?.hour?.surfaces], () => rules(live));
    fill(asked, live?.checks, () => checks(live));
    fill(force, [shown.policies, shown.reloads], () => inForce(shown));
    const waiting = document.getElementById("waiting");
    waiting.textContent = shown.waiting ? String(shown.waiting) : "";
    waiting.hidden = !shown.waiting;
    const ringing = (live?.monitors ?? []).filter((one) => one.ringing_since !== null).map((one) => one.monitor).join(", ");
    if (rang !== null && ringing !== rang) tell(ringing ? `alarm: ${ringing}` : "no alarm any more");
    rang = ringing;
  });
  return () => poll.end();
}
