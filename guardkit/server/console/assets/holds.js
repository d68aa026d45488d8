// Texts that wait for somebody: who waits and since when. The text itself only when it is asked for.

import { counted, fill, h, kept, lasting, NONE, short, table, tell, time } from "./dom.js";
import { every, get, post } from "./wire.js";

const EVERY_MS = 3000;

export function holds(place) {
  const list = h("div.waiting", null);
  const done = h("div", null);
  const who = h("input", { id: "who", type: "text", maxlength: "100", autocomplete: "name", value: kept.get("who") ?? "", placeholder: "Ada Lovelace" });
  who.addEventListener("change", () => kept.set("who", who.value.trim()));
  place.append(
    h("div.heading", null, h("h1", null, "Holds")),
    h("p.lead", null, "Rules of the policy hold these texts back until somebody decides. Nobody has read them: a text is shown when you ask for it."),
    h("p.who", null, h("label", { for: "who" }, "Your name, kept with every decision"), who),
    h("section", null, h("h2", null, "Waiting"), list),
    h("section", null, h("h2", null, "Decided"), done),
  );
  const cards = new Map();
  let offset = 0;

  function card(hold) {
    const problem = h("p.wrong", { role: "alert" });
    const text = h("div.held-text", { hidden: true });
    const left = h("span.left-time", null);
    const bar = h("progress", { max: "1", value: "1", "aria-label": "Time left" });
    const show = h("button.plain", { type: "button", "aria-expanded": "false" }, "Show the text");
    const reason = h("input", { type: "text", maxlength: "1000", "aria-label": "Reason for the denial", placeholder: "Reason, kept with a denial" });
    const approve = h("button.primary", { type: "button" }, "Approve");
    const deny = h("button.danger", { type: "button" }, "Deny");

    show.addEventListener("click", async () => {
      if (!text.hidden) {
        text.hidden = true;
        text.replaceChildren();
        show.textContent = "Show the text";
        show.setAttribute("aria-expanded", "false");
        return;
      }
      problem.textContent = "";
      try {
        const made = await post("/console/api/holds/text", { id: hold.id });
        const part = (name, one) => [h("h4", null, name), h("div.shown", { dir: "auto" }, one ? (one.arguments ? JSON.stringify(one.arguments, null, 2) : one.text) : NONE)];
        text.replaceChildren(...part("Delivered once approved", made.approved), ...part("Delivered if denied, or too late", made.otherwise));
        text.hidden = false;
        show.textContent = "Hide the text";
        show.setAttribute("aria-expanded", "true");
      } catch (error) {
        problem.textContent = `${error.message}.`;
      }
    });

    async function decide(what) {
      if (!who.value.trim()) {
        problem.textContent = "Say who decides first: your name stands above.";
        who.focus();
        return;
      }
      kept.set("who", who.value.trim());
      approve.disabled = deny.disabled = true;
      try {
        const made = await post("/console/api/holds/decide", { id: hold.id, what, by: who.value, reason: reason.value });
        tell(made.took ? `${made.hold.state} by ${made.hold.by}` : `it was ${made.hold.state} already`);
        poll.now();
      } catch (error) {
        problem.textContent = `${error.message}.`;
        approve.disabled = deny.disabled = false;
      }
    }

    // A decision is for good: the first click asks, the second one decides.
    function asks(button, what) {
      const said = button.textContent;
      let armed = 0;
      const rest = () => {
        clearTimeout(armed);
        armed = 0;
        button.textContent = said;
      };
      button.addEventListener("click", () => {
        if (armed) {
          rest();
          decide(what);
          return;
        }
        button.textContent = `${said} for good?`;
        tell(`press again to ${what} for good`);
        armed = setTimeout(rest, 5000);
      });
      button.addEventListener("blur", rest);
    }
    asks(approve, "approve");
    asks(deny, "deny");

    const fact = (name, said) => (said ? h("div", null, h("dt", null, name), h("dd", null, said)) : null);
    const node = h("article.held", { "aria-label": `Held by ${hold.rules.join(", ")}` },
      h("header", null, h("h3", null, hold.rules.join(", ")), h("span", null, left)), bar,
      h("dl.facts", null, fact("on", [hold.surface, hold.tool].filter(Boolean).join(" · ")), fact("policy", hold.policy || short(hold.digest)), fact("tenant", hold.tenant),
        fact("session", hold.session), fact("may approve", hold.approvers.join(", ")), fact("since", time(hold.created)), fact("until", time(hold.deadline))),
      text, h("div.decide", null, show, reason, deny, approve), problem);
    return {
      node,
      tick(now) {
        const rest = hold.deadline - now;
        left.textContent = rest > 0 ? `${lasting(rest)} left` : "too late";
        bar.value = Math.max(0, rest / Math.max(hold.deadline - hold.created, 1));
        bar.className = rest < 60 ? "short" : "";
      },
    };
  }

  const tick = () => cards.forEach((one) => one.tick(Date.now() / 1000 + offset));
  const clock = setInterval(tick, 1000);

  const poll = every(EVERY_MS, async (signal) => {
    const shown = await get("/console/api/holds", signal);
    offset = shown.at - Date.now() / 1000;
    const ids = new Set(shown.waiting.map((hold) => hold.id));
    for (const [id, one] of cards) {
      if (ids.has(id)) continue;
      one.node.remove();
      cards.delete(id);
    }
    list.querySelector(".nobody")?.remove();
    for (const hold of shown.waiting) {
      if (cards.has(hold.id)) continue;
      cards.set(hold.id, card(hold));
      list.append(cards.get(hold.id).node);
    }
    if (!cards.size) list.append(h("p.nobody.soft", null, "Nothing waits."));
    const waiting = document.getElementById("waiting");
    waiting.textContent = counted(cards.size);
    waiting.hidden = !cards.size;
    tick();
    fill(done, shown.decided, () => [table("Decided", [["what", "left"], ["by", "left"], ["when", "left"], ["rules", "left"], ["on", "left wide"], ["tenant", "left wide"], ["reason", "left wide"]],
      shown.decided.map((hold) => h("tr", null, h("td.left", null, h(`span.badge.${hold.state}`, null, hold.state)), h("td.left", null, hold.by ?? "nobody"),
        h("td.left", null, time(hold.decided ?? hold.deadline)), h("td.left.rules", null, hold.rules.join(", ")), h("td.left.wide", null, [hold.surface, hold.tool].filter(Boolean).join(" · ")),
        h("td.left.wide", null, hold.tenant || NONE), h("td.left.wide.rules", null, hold.reason || NONE))), "nothing was decided yet")]);
  });

  return () => {
    clearInterval(clock);
    poll.end();
  };
}
