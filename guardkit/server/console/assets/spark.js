// One line through the last hour, with what a minute says when it is pointed at.

import { h, s } from "./dom.js";

const WIDE = 240;
const HIGH = 56;
const FOOT = 50;
const TOP = 6;

const ENDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

function end(values, isShare) {
  const most = Math.max(...values.filter((value) => value !== null), 0);
  if (isShare) return ENDS.find((one) => one >= most) ?? 1;
  if (most <= 4) return 4;
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((one) => one * size).find((one) => one >= most);
}

/** A panel: a title, what it is now, and the hour. `values` may hold null where nothing is known. */
export function panel({ title, now, about, values, style, isShare, spell }) {
  const top = end(values, isShare);
  const step = WIDE / (values.length - 1);
  const spot = (i) => [i * step, FOOT - ((FOOT - TOP) * Math.min(values[i], top)) / top];
  let line = "";
  let area = "";
  let run = [];
  const flush = () => {
    if (!run.length) return;
    const made = run.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    line += run.length === 1 ? `M${run[0][0] - 1} ${run[0][1]}h2` : made;
    if (run.length > 1) area += `${made}L${run.at(-1)[0].toFixed(1)} ${FOOT}L${run[0][0].toFixed(1)} ${FOOT}z`;
    run = [];
  };
  values.forEach((value, i) => {
    if (value === null) flush();
    else run.push(spot(i));
  });
  flush();
  const known = values.map((value, i) => [value, i]).filter(([value]) => value !== null);
  const last = known.at(-1);
  const here = s("path.here", { d: "" });
  const said = h("output.minute", { "aria-hidden": "true" });
  const picture = s("svg.spark", {
    viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `${title} in the last hour: ${known.length ? `${spell(last[0])} now, at most ${spell(Math.max(...known.map(([value]) => value)))}` : "nothing yet"}`,
  },
  s("path.grid", { d: `M0 ${FOOT}H${WIDE}M0 ${TOP}H${WIDE}` }),
  s(`path.${style}-wash`, { d: area }),
  s(`path.${style}-line`, { d: line }),
  here);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const i = Math.max(0, Math.min(values.length - 1, Math.round(((event.clientX - box.left) / box.width) * (values.length - 1))));
    here.setAttribute("d", `M${(i * step).toFixed(1)} ${TOP}V${FOOT}`);
    const ago = values.length - 1 - i;
    said.textContent = `${ago ? `${ago} min ago` : "this minute"}: ${values[i] === null ? "nothing" : spell(values[i])}`;
  });
  picture.addEventListener("pointerleave", () => {
    here.setAttribute("d", "");
    said.textContent = "";
  });
  return h("div.panel", null,
    h("h3", null, title),
    h("p.now", null, now, about ? h("small", null, about) : null),
    picture,
    h("p.ends", null, h("span", null, "60 min ago"), said, h("span", null, `top ${spell(top)}`)));
}
