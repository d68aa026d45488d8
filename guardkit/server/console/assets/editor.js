// A plain text area with colours, line numbers and underlines behind it. The browser edits; this draws.

import { h } from "./dom.js";
import { pieces, points } from "./highlight.js";

const SLOW = 40_000;

/** An editor: `node`, `text()`, `put(text)`, `mark(diagnostics)`, `go(start, end)`. */
export function editor(label, changed) {
  const colours = h("pre.colours", { "aria-hidden": "true" });
  const numbers = h("pre.numbers", { "aria-hidden": "true" });
  const area = h("textarea", {
    "aria-label": label, "aria-describedby": "editor-help", spellcheck: "false", wrap: "off", autocapitalize: "off",
    autocomplete: "off", rows: "22",
  });
  const node = h("div.editor", null, numbers, h("div.page", null, colours, area));
  let marks = [];
  let wanted = 0;

  function draw() {
    wanted = 0;
    const text = area.value;
    const ends = [];
    let at = 0;
    const made = document.createDocumentFragment();
    const spots = marks.map((mark) => ({ ...mark, end: Math.max(mark.end, mark.start + 1) }));
    for (const [kind, piece] of pieces(text)) {
      // A piece is cut wherever a mark begins or ends inside it.
      const cuts = new Set([at, at + piece.length]);
      for (const { start, end } of spots) {
        for (const cut of [start, end]) if (cut > at && cut < at + piece.length) cuts.add(cut);
      }
      const order = [...cuts].sort((one, other) => one - other);
      for (let i = 0; i + 1 < order.length; i += 1) {
        const part = text.slice(order[i], order[i + 1]);
        const mark = spots.find((one) => one.start <= order[i] && order[i] < one.end);
        const classes = [kind && `t-${kind}`, mark && `m-${mark.level}`].filter(Boolean).join(" ");
        made.append(classes ? h("span", { className: classes }, part) : part);
      }
      at += piece.length;
    }
    ends.push("\n");
    colours.replaceChildren(made, ...ends);
    const lines = text.split("\n").length;
    const bad = new Map();
    for (const mark of marks) if (bad.get(mark.line) !== "error") bad.set(mark.line, mark.level);
    numbers.replaceChildren(
      ...Array.from({ length: lines }, (_, i) => h("span", { className: bad.has(i + 1) ? `n-${bad.get(i + 1)}` : null }, `${i + 1}\n`)),
    );
    follow();
  }

  function follow() {
    colours.style.transform = `translate(${-area.scrollLeft}px,${-area.scrollTop}px)`;
    numbers.style.transform = `translateY(${-area.scrollTop}px)`;
  }

  function soon() {
    if (wanted) return;
    wanted = area.value.length > SLOW ? setTimeout(draw, 200) : requestAnimationFrame(draw);
  }

  area.addEventListener("input", () => {
    marks = [];
    soon();
    changed();
  });
  area.addEventListener("scroll", follow, { passive: true });

  return {
    node,
    area,
    text: () => area.value,
    put(text) {
      area.value = text;
      marks = [];
      draw();
      area.scrollTop = 0;
      changed();
    },
    mark(diagnostics) {
      const { unit } = points(area.value);
      marks = diagnostics.map((found) => ({
        start: unit(found.start.offset), end: unit(found.end.offset), line: found.start.line, level: found.level,
      }));
      soon();
    },
    go(start, end) {
      const { unit } = points(area.value);
      area.focus();
      area.setSelectionRange(unit(start), unit(end));
      const line = area.value.slice(0, unit(start)).split("\n").length;
      const high = area.scrollHeight / Math.max(area.value.split("\n").length, 1);
      area.scrollTop = Math.max(0, (line - 6) * high);
    },
    /** Put other text in place of a stretch, so that the browser can undo it. */
    replace(edits) {
      const { unit } = points(area.value);
      const order = [...edits].sort((one, other) => other.start.offset - one.start.offset);
      area.focus();
      for (const edit of order) {
        area.setSelectionRange(unit(edit.start.offset), unit(edit.end.offset));
        if (!document.execCommand("insertText", false, edit.replacement)) area.setRangeText(edit.replacement);
      }
      marks = [];
      soon();
      changed();
    },
  };
}
