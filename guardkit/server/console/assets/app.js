// The frame around the four views: which one is shown, the theme, the end of the session.

import { h, kept, tell } from "./dom.js";
import { post } from "./wire.js";
import { holds } from "./holds.js";
import { monitor } from "./monitor.js";
import { playground } from "./playground.js";
import { reports } from "./reports.js";

const VIEWS = { monitor, playground, holds, reports };
const main = document.getElementById("view");
const links = [...document.querySelectorAll("nav a")];
let leave = null;
let shown = "";

function show(isMove) {
  const wanted = location.hash.slice(1);
  if (wanted === "view") return;
  const name = Object.hasOwn(VIEWS, wanted) ? wanted : "monitor";
  if (name === shown) return;
  shown = name;
  leave?.();
  const place = h("div.view", { id: `view-${name}` });
  main.replaceChildren(place);
  for (const link of links) {
    const isHere = link.hash === `#${name}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · guardkit console`;
  leave = VIEWS[name](place);
  if (isMove) {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
    tell(`${name} is shown`);
  }
}

const THEMES = { system: "light", light: "dark", dark: "system" };
const button = document.getElementById("theme");

function theme(chosen) {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  button.textContent = { system: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[chosen];
  button.setAttribute("aria-label", `Theme: ${chosen}. Change to ${THEMES[chosen]}`);
  button.dataset.next = THEMES[chosen];
}

theme(document.documentElement.dataset.theme ?? "system");
button.addEventListener("click", () => {
  const chosen = button.dataset.next;
  kept.set("theme", chosen);
  theme(chosen);
});

document.getElementById("sign-out").addEventListener("click", async () => {
  await post("/console/sign-out").catch(() => null);
  location.reload();
});

window.addEventListener("hashchange", () => show(true));
show(false);
