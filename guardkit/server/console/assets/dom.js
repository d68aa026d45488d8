// Elements, numbers and times. Text only ever becomes text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, facts, children) {
  for (const [name, value] of Object.entries(facts ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !(node instanceof SVGElement) && typeof value !== "string") node[name] = value;
    else node.setAttribute(name === "className" ? "class" : name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element: `h("p.soft", {title: "…"}, "text", …)`. */
export function h(kind, facts, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  return filled(node, facts, children);
}

/** The same for pictures. */
export function s(kind, facts, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElementNS(SVG, tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return filled(node, facts, children);
}

/** Put children in, unless what they are made of is what stands there already. */
export function fill(node, made, ...children) {
  const key = made === undefined ? undefined : JSON.stringify(made);
  if (key !== undefined && node.madeOf === key) return false;
  node.madeOf = key;
  const scrolled = [...node.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop, one === document.activeElement]);
  node.replaceChildren(...children.flat(Infinity).map((one) => (typeof one === "function" ? one() : one)).flat(Infinity).filter(Boolean));
  node.querySelectorAll(".scroll").forEach((one, i) => {
    const [left, top, hadFocus] = scrolled[i] ?? [0, 0, false];
    one.scrollLeft = left;
    one.scrollTop = top;
    if (hadFocus) one.focus({ preventScroll: true });
  });
  return true;
}

/** A table in a frame that scrolls where it is too wide, or `isLong`. */
export function table(caption, heads, rows, empty = "nothing yet", isLong = false) {
  const head = heads.map(([name, style]) => h("th", { scope: "col", className: style }, name));
  const body = rows.length
    ? rows
    : [h("tr", null, h("td.nothing", { colspan: String(heads.length) }, empty))];
  return h(`div.scroll${isLong ? ".long" : ""}`, { role: "region", tabindex: "0", "aria-label": caption },
    h("table", null, h("thead", null, h("tr", null, head)), h("tbody", null, body)));
}

export const NONE = "–";
const whole = new Intl.NumberFormat("en-US");

export const counted = (number) => (number === null || number === undefined ? NONE : whole.format(number));

/** A share that is never rounded to nothing, nor to all. */
export function share(part, of) {
  if (!of) return NONE;
  const value = part / of;
  if (value > 0 && value < 0.0005) return "< 0.1 %";
  if (value < 1 && value >= 0.9995) return "> 99.9 %";
  return `${(100 * value).toFixed(1)} %`;
}

/** Microseconds in three digits or so. */
export function spelled(us) {
  if (us === null || us === undefined) return NONE;
  for (const [size, unit] of [[1e6, "s"], [1e3, "ms"]]) {
    if (us >= size * 0.9995) return `${(us / size).toFixed(us >= 99.95 * size ? 0 : 1)} ${unit}`;
  }
  return `${us.toFixed(us >= 9.95 || us === 0 ? 0 : 1)} µs`;
}

const moment = (at) => (typeof at === "number" ? new Date(1000 * at) : new Date(at ?? NaN));
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** A time of day, with the day beside it where it is another one. */
export function time(at) {
  const when = moment(at);
  if (Number.isNaN(when.getTime())) return NONE;
  const said = clock.format(when);
  return when.toDateString() === new Date().toDateString() ? said : `${day.format(when)}, ${said}`;
}

export const date = (at) => day.format(moment(at));

/** So many seconds, in the two largest units. */
export function lasting(seconds) {
  const left = Math.max(0, Math.round(seconds));
  if (left < 60) return `${left} s`;
  if (left < 3600) return `${Math.floor(left / 60)} min ${left % 60} s`;
  if (left < 86400) return `${Math.floor(left / 3600)} h ${Math.floor((left % 3600) / 60)} min`;
  return `${Math.floor(left / 86400)} d ${Math.floor((left % 86400) / 3600)} h`;
}

export const short = (digest) => (digest ? digest.replace(/^sha256:/, "").slice(0, 12) : NONE);

/** Say something to those who hear the page. */
export function tell(said) {
  document.getElementById("told").textContent = said;
}

/** What is kept in this browser; nothing where it keeps nothing. */
export const kept = {
  get(name) {
    try {
      return localStorage.getItem(`guardkit.${name}`);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(`guardkit.${name}`, value);
    } catch {
      // It is a convenience, and not needed.
    }
  },
};

/** A sentence whose `names` are set as such. */
export const spoken = (said) => said.split("`").map((part, i) => (i % 2 ? h("code", null, part) : part));

export function badge(action) {
  return h(`span.badge.${/^[a-z]+$/.test(action) ? action : "none"}`, null, action === "none" ? "not judged" : action);
}
