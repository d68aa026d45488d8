// Pages that probes and evaluations wrote. Each opens by itself, in a sandbox without scripts.

import { counted, date, fill, h, table } from "./dom.js";
import { every, get } from "./wire.js";

const size = (bytes) => (bytes < 1e6 ? `${counted(Math.ceil(bytes / 1000))} KB` : `${(bytes / 1e6).toFixed(1)} MB`);

export function reports(place) {
  const list = h("div", null);
  place.append(h("div.heading", null, h("h1", null, "Reports")),
    h("p.lead", null, "Pages of ", h("code", null, "guardkit probe"), ", ", h("code", null, "eval"), " and ", h("code", null, "attribute"), ", written with ", h("code", null, "--html"), ". Each opens in a page of its own, where no script runs."),
    list);
  const poll = every(15000, async (signal) => {
    const shown = await get("/console/api/reports", signal);
    fill(list, shown, () => (shown.folder
      ? [table("Reports", [["report", "left"], ["kind", "left"], ["written", "left"], ["size"]], shown.reports.map((one) =>
        h("tr", null, h("th", { scope: "row" }, one.opens
          ? h("a", { href: `/console/report?name=${encodeURIComponent(one.name)}`, target: "_blank", rel: "noopener" }, one.title || one.name)
          : `${one.title || one.name} (too large to open here)`, one.title ? h("span.of", null, one.name) : null),
        h("td.left", null, one.kind || "page"), h("td.left", null, date(one.at)), h("td", null, size(one.size)))), "no report lies in the folder yet")]
      : [h("p.soft", null, "The server was started without a folder of reports: ", h("code", null, "guardkit serve … --reports FOLDER"), ".")]));
  });
  return () => poll.end();
}
