// One site's page: its parts follow the reports, its chart is an interactive one.

import { followBars } from "./bars.js";
import { drawChart } from "./chart.js";
import { fetchParts, throttled } from "./fragments.js";

export function start(refresh) {
  const holder = () => document.querySelector("[data-chart]");
  let chart = drawChart(holder());
  followBars();

  // The newest reports only: who reads older ones is left in peace.
  const newest = () => document.querySelector("[data-part='reports']").dataset.old === undefined;
  const follow = throttled(() => fetchParts(location.href, ["state", "locations", "last", ...(newest() ? ["reports"] : [])]), 1000);
  const sumUp = throttled(async () => {
    await fetchParts(location.href, ["shares", "day", "bars"]);
    await chart?.load();
  }, 15_000);

  const showRange = async (url) => {
    chart?.destroy();
    chart = null;
    await fetchParts(url, ["chart", "reports"]);
    chart = drawChart(holder());
  };
  document.addEventListener("click", (e) => {
    const link = e.target.closest("[data-range]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    e.preventDefault();
    history.pushState(null, "", link.href);
    showRange(link.href).catch(() => location.assign(link.href));
  });
  addEventListener("popstate", () => showRange(location.href).catch(() => location.reload()));
  setInterval(() => document.hidden || sumUp(), 60_000);

  const both = () => {
    follow();
    sumUp();
  };
  const incidents = throttled(() => fetchParts(location.href, ["incidents"]), 1000);
  return { report: both, status: both, incident: incidents, resync: () => { refresh(); sumUp(); } };
}
