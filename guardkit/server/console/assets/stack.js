// The stack of the deployment: what came, what each layer stopped, what was delivered.

import { counted, h, s, share, spoken } from "./dom.js";

const LEAST = 3;
const TURN = 20;
const ROUND = 0.5523;
const TIP = 8;

const point = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** What is cut off between `near` and `far` turns aside and leaves. */
function branch(place, along, near, far, drop) {
  const outer = along + TURN + far - near;
  const inner = along + TURN;
  const bend = far + TURN;
  const tip = Math.min((far - near) / 2, TIP);
  const curve = (...spots) => `C${spots.map(point).join(" ")}`;
  return [
    `M${point(place(along, near))}`,
    curve(place(along + ROUND * (outer - along), near), place(outer, bend - ROUND * (bend - near)), place(outer, bend)),
    `L${point(place(outer, drop))}L${point(place((inner + outer) / 2, drop + tip))}L${point(place(inner, drop))}`,
    `L${point(place(inner, bend))}`,
    curve(place(inner, bend - ROUND * TURN), place(along + ROUND * TURN, far), place(along, far)),
    "z",
  ].join("");
}

function label(x, y, lines, anchor = "start") {
  let at = y;
  return lines.map(([said, style], i) => {
    if (i) at += style === "big" ? 26 : 17;
    return s("text", { x: x.toFixed(1), y: at.toFixed(1), "text-anchor": anchor, class: style ?? "" }, said);
  });
}

function drawn({ layers, total, delivered, isMoving }, isWide) {
  const size = isWide
    ? { wide: 940, high: 236, before: 112, after: 128, thick: 84, head: 54 }
    : { wide: 340, high: 92 * layers.length + 130, before: 60, after: 70, thick: 54, head: 0 };
  const end = (isWide ? size.wide : size.high) - size.after;
  const step = (end - size.before) / layers.length;
  const place = isWide ? (along, aside) => [along, size.head + aside] : (along, aside) => [aside, along];
  const width = (count) => (count ? Math.max((size.thick * count) / Math.max(total, 1), LEAST) : 0);
  const nodes = layers.map((_, i) => size.before + step * (i + (isWide ? 0.22 : 0.3)));
  const parts = [];
  let left = total;
  let wide = width(total) || size.thick;
  const outline = [place(size.before, 0), place(size.before, wide)];
  let bars = "";
  layers.forEach((layer, i) => {
    const along = nodes[i];
    left -= layer.stopped;
    const after = total ? width(Math.max(left, 0)) : size.thick;
    const far = Math.max(wide, after + width(layer.stopped));
    outline.push(place(along, wide), place(along, after));
    bars += `M${point(place(along, -5))}L${point(place(along, Math.max(far, size.thick * 0.5) + 5))}`;
    if (layer.stopped) parts.push(s(`path.${layer.style}`, { d: branch(place, along, after, far, size.thick + TURN + 12) }));
    wide = after;
  });
  const last = wide;
  outline.push(place(end, last), place(end, 0));
  const tip = Math.min(last / 2, 12);
  const arrow = [place(end, 0), place(end, last), place(end + 12, last), place(end + 12 + tip, last / 2), place(end + 12, 0)];
  const texts = [];
  layers.forEach((layer, i) => {
    const [x, y] = isWide ? [nodes[i], size.head - 32] : [size.thick + 16, nodes[i] - 7];
    texts.push(...label(x, y, isWide ? [[layer.name, "lab"], [layer.about, "about"]] : [[layer.name, "lab"]]));
    const stopped = [[`${counted(layer.stopped)} ${layer.verb}`, layer.stopped ? "lab" : ""], [layer.stopped ? share(layer.stopped, total) : layer.none, ""]];
    texts.push(...(isWide ? label(nodes[i] + (layer.stopped ? TURN + 4 : 8), size.head + size.thick + TURN + 38, stopped) : label(size.thick + TURN + 50, nodes[i] + 30, stopped)));
  });
  if (isWide) {
    texts.push(...label(0, size.head + 16, [["exchanges", ""], [counted(total), "big"], ["last hour", ""]]));
    texts.push(...label(end + 36, size.head + 16, [["delivered", ""], [counted(delivered), "big"], [share(delivered, total), ""]]));
  } else {
    texts.push(...label(0, 18, [["exchanges, last hour", ""], [counted(total), "big"]]));
    texts.push(...label(size.thick + 16, end + 16, [["delivered", ""], [total ? `${counted(delivered)} · ${share(delivered, total)}` : counted(delivered), "big"]]));
  }
  const middle = wide / 2;
  const path = `M${point(place(size.before, middle))}L${point(place(end, middle))}`;
  return s(`svg.${isWide ? "across" : "downward"}`, {
    viewBox: `0 0 ${size.wide} ${size.high}`, role: "img", "aria-label": told(layers, total, delivered),
  },
  s(total ? "path.good-wash" : "path.idle", { d: `M${outline.map(point).join("L")}z` }),
  s(total ? "path.good" : "path.idle", { d: `M${arrow.map(point).join("L")}z` }),
  ...parts,
  isMoving && last ? s("path.moving", { d: path }) : null,
  s("path.node", { d: bars }),
  ...texts);
}

function told(layers, total, delivered) {
  const stops = layers.filter((layer) => layer.stopped).map((layer) => `${layer.name} ${layer.verb} ${counted(layer.stopped)}`);
  return `Of ${counted(total)} exchanges in the last hour: ${[...stops, `${counted(delivered)} delivered`].join("; ")}.`;
}

/** The layers of an hour's counters, in the order in which an exchange meets them. */
export function layersOf(hour) {
  const layers = hour?.layers ?? {};
  const ended = (...names) => names.reduce((sum, name) => sum + (layers[name]?.refused ?? 0) + (layers[name]?.failed ?? 0), 0);
  const made = [
    { name: "input check", about: "before the model", stopped: ended("input"), verb: "stopped", style: "bad", none: "" },
    { name: "system prompt", about: "what it is told", stopped: ended("context"), verb: "refused", style: "mark", none: "" },
    { name: "weights", about: "prompt and weights", stopped: ended("weights", "model", "provider"), verb: "refused", style: "mark", none: "" },
    { name: "output check", about: "before the user", stopped: ended("output"), verb: "stopped", style: "bad", none: "" },
  ];
  const lost = ended("transport");
  if (lost) made.splice(3, 0, { name: "transport", about: "no reply came", stopped: lost, verb: "lost", style: "lost", none: "" });
  const exchanges = hour?.exchanges ?? {};
  const total = ["answered", "refused", "failed"].reduce((sum, word) => sum + (exchanges[word] ?? 0), 0);
  const stopped = made.reduce((sum, layer) => sum + layer.stopped, 0);
  // What was refused by nobody in particular is not drawn as delivered.
  return { layers: made, total: Math.max(total, stopped), delivered: Math.max(total, stopped) - stopped };
}

export function stack(hour, isMoving) {
  const picture = { ...layersOf(hour), isMoving };
  return h("figure.stack", null, drawn(picture, true), drawn(picture, false),
    h("figcaption", null, h("b", null, "Which layer ended an exchange. "),
      picture.total
        ? spoken("A refusal of the model stands at the weights: one reply does not tell the prompt and the training apart, `guardkit attribute` does.")
        : "No exchange came through the proxy in the last hour."));
}
