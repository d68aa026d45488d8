// The streaming simulator: every character of a text over time, as it waits, leaves or is replaced.

import { counted, h, s, spelled, tell } from "./dom.js";

const WIDE = 600;
const HIGH = 120;

/** How many came against how many went out; what lies between is held. */
function timeline(frames, size, isStopped) {
  const x = (i) => (frames.length < 2 ? 0 : (WIDE * i) / (frames.length - 1));
  const y = (count) => HIGH - 4 - ((HIGH - 8) * count) / Math.max(size, 1);
  const came = frames.map(([fed], i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(fed).toFixed(1)}`).join("");
  const steps = frames.map(([, out], i) => `${i ? `H${x(i).toFixed(1)}V` : `M0 `}${y(out).toFixed(1)}`).join("");
  const back = frames.map(([, out], i) => [x(i), y(out)]).reverse().map(([a, b]) => `L${a.toFixed(1)} ${b.toFixed(1)}`).join("");
  const here = s("path.here", { d: "" });
  const picture = s("svg.timeline", {
    viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Characters over time: ${counted(frames.at(-1)[0])} came, ${counted(frames.at(-1)[1])} went out${isStopped ? ", then the stream was stopped" : ""}`,
  },
  s("path.grid", { d: `M0 ${y(0)}H${WIDE}M0 ${y(size)}H${WIDE}` }),
  s("path.mark-wash", { d: `${came}${back}z` }),
  s("path.line", { d: came }),
  s("path.good-line", { d: steps }),
  here);
  return { picture, at: (i) => here.setAttribute("d", `M${x(i).toFixed(1)} 0V${HIGH}`) };
}

/** The picture of one stream: a slider over its frames, each character in its state. */
export function stream(text, made) {
  const letters = Array.from(text);
  const frames = [[0, 0], ...made.frames];
  const redacted = made.redacted;
  const states = new Array(letters.length).fill("");
  const cells = letters.map((letter) => h("span", null, letter === "\n" ? "↵\n" : letter));
  const paper = h("div.letters", { role: "img", dir: "auto" }, cells);
  const line = timeline(frames, letters.length, made.stopped);
  const seen = h("div.shown.user", { dir: "auto", tabindex: "0", "aria-label": "What the user sees" });
  const count = h("p.counts", { "aria-live": "off" });
  const slider = h("input.slider", {
    type: "range", min: "0", max: String(frames.length - 1), value: String(frames.length - 1), step: "1", "aria-label": "Time, in pieces of the stream",
  });
  const play = h("button", { type: "button" }, "▶ Play");
  const inside = (i) => redacted.some(([start, end]) => start <= i && i < end);

  function stateOf(i, fed, out, isEnd) {
    if (i < out) return inside(i) ? "redacted" : "out";
    if (isEnd) return "never";
    return i < fed ? "held" : "ahead";
  }

  function draw(frame) {
    const [fed, out] = frames[frame];
    const isEnd = frame === frames.length - 1;
    const sums = { out: 0, redacted: 0, held: 0, ahead: 0, never: 0 };
    letters.forEach((_, i) => {
      const state = stateOf(i, fed, out, isEnd && made.stopped);
      sums[state] += 1;
      if (states[i] !== state) {
        states[i] = state;
        cells[i].className = `c-${state}`;
      }
    });
    const shown = [];
    let at = 0;
    for (const [start, end, instead] of redacted) {
      if (end > out) break;
      shown.push(letters.slice(at, start).join(""), h("mark.put", null, instead ?? "…"));
      at = end;
    }
    shown.push(letters.slice(at, out).join(""));
    if (isEnd && made.stopped) {
      shown.push(h("span.said", null, `${out ? "\n\n" : ""}${made.verdict.message ?? made.verdict.text ?? ""}`));
    }
    seen.replaceChildren(...shown);
    const said = `${counted(fed)} came, ${counted(sums.out)} went out, ${counted(sums.held)} held, ${counted(sums.redacted)} redacted${sums.never ? `, ${counted(sums.never)} never leave` : ""}`;
    count.textContent = said;
    paper.setAttribute("aria-label", `Each character of the text: ${said}`);
    slider.setAttribute("aria-valuetext", `Piece ${frame} of ${frames.length - 1}: ${said}`);
    line.at(frame);
  }

  let playing = 0;
  function halt() {
    clearInterval(playing);
    playing = 0;
    play.textContent = "▶ Play";
  }
  play.addEventListener("click", () => {
    if (playing) {
      halt();
      return;
    }
    if (Number(slider.value) >= frames.length - 1) slider.value = "0";
    play.textContent = "❚❚ Pause";
    const step = Math.max(1, Math.round(frames.length / 240));
    playing = setInterval(() => {
      if (!paper.isConnected) return halt();
      const next = Math.min(Number(slider.value) + step, frames.length - 1);
      slider.value = String(next);
      draw(next);
      if (next === frames.length - 1) {
        halt();
        tell("the stream is over");
      }
      return undefined;
    }, Math.min(120, Math.max(30, 6000 / frames.length)));
  });
  slider.addEventListener("input", () => {
    halt();
    draw(Number(slider.value));
  });
  draw(frames.length - 1);

  const key = (state, name) => h("span", null, h(`i.c-${state}`, null, "a"), ` ${name}`);
  return h("div.stream", null,
    h("div.run", null, play, slider),
    count,
    paper,
    h("p.keys-of", { "aria-hidden": "true" }, key("out", "went out"), key("held", "held back"), key("redacted", "redacted"), key("ahead", "not come yet"), made.stopped ? key("never", "never leaves") : null),
    h("h4", null, "What the user sees"), seen,
    h("h4", null, "Held back over time"), line.picture,
    h("p.ends", null, h("span", null, "first piece"),
      h("span", null, `a piece takes ${spelled(made.feed_us)}, at most ${spelled(made.feed_most_us)}; the end ${spelled(made.finish_us)}`), h("span", null, "end")));
}
