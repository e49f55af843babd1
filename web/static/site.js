// One site's page: its parts follow the reports, its charts are interactive, and their
// window and the day that is open are in the address.

import { followBars } from "./bars.js";
import { drawCharts } from "./charts.js";
import { fetchParts, throttled } from "./fragments.js";
import { followMinutes } from "./minutes.js";
import { followProbe } from "./reports.js";

// What has the address in its links.
const addressed = ["chart", "bars", "minutes", "values", "reports"];

export function start(refresh) {
  const root = () => document.querySelector("[data-charts]");
  const part = (name) => document.querySelector(`[data-part='${name}']`);
  let charts = null;
  let here = address(location.href);

  // show shows what an address asks for, without a reload.
  const show = async (url, redraw = true) => {
    here = address(url);
    await fetchParts(url, addressed);
    if (!redraw) return;
    charts?.leave();
    charts = drawCharts(root(), on);
  };
  const open = (url, state = null, redraw = true) => {
    history.pushState(state, "", url);
    return show(url, redraw).catch(() => location.assign(url));
  };
  const on = {
    zoom(from, to) {
      if (zooming) return; // each of the charts says so
      zooming = true;
      const url = new URL(location.href);
      const text = (minutes) => new Date(minutes * 60_000).toISOString().replace(".000", "");
      url.searchParams.delete("range");
      url.searchParams.set("from", text(Math.floor(from / 60)));
      url.searchParams.set("to", text(Math.ceil(to / 60)));
      url.hash = "";
      open(url.href, { zoomed: true }).finally(() => (zooming = false));
    },
    undo() {
      if (history.state?.zoomed) history.back();
      else press("Reset");
    },
  };
  let zooming = false;
  const press = (name) => root()?.querySelector(`[data-zoom="${name}"][href]`)?.click();

  charts = drawCharts(root(), on);
  followBars();
  followProbe();
  followMinutes((url) => open(url).then(() => reveal("chart")));

  // The newest reports only: who reads older ones is left in peace.
  const newest = () => part("reports").dataset.old === undefined;
  const follow = throttled(() => fetchParts(location.href, ["state", "locations", "last", ...(newest() ? ["values", "reports"] : [])]), 1000);
  const figures = () => ["shares", "day", "bars", ...(part("minutes").hidden ? [] : ["minutes"])];
  const sumUp = throttled(async () => {
    await fetchParts(location.href, figures());
    if (root()?.dataset.charts.includes("from=-")) await charts?.load();
  }, 15_000);
  setInterval(() => document.hidden || fetchParts(location.href, [...figures(), "chart"]).then(() => charts?.load(), () => {}), 60_000);

  document.addEventListener("click", (e) => {
    const link = e.target.closest("[data-window], [data-open-day], [data-reports]");
    if (!link?.href || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    e.preventDefault();
    const url = link.href.baseVal ?? link.href; // of a drawing, or not
    if (link.dataset.reports !== undefined) return void open(link.href, null, false);
    const zoomed = link.dataset.zoom !== undefined && link.dataset.zoom !== "Reset";
    open(new URL(url, location.href).href, zoomed ? { zoomed } : null).then(() => {
      if (link.dataset.openDay === undefined) return link.closest("[data-minutes]") && reveal("chart");
      reveal("minutes");
      if (part("minutes").hidden) document.querySelector("[data-day-links] a[tabindex='0'], [data-day-links] a:not([tabindex])")?.focus({ preventScroll: true });
      else if (e.detail === 0 && link.closest("[data-day-links]")) document.querySelector("[data-minutes]").focus();
    });
  });
  document.querySelector(".charts").addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, .scroll")) return;
    const keys = { "+": "Zoom in", "=": "Zoom in", "-": "Zoom out" };
    if (e.target.matches("[data-plots]")) Object.assign(keys, { ArrowLeft: "Earlier", ArrowRight: "Later" });
    if (e.key === "Escape") on.undo();
    else if (keys[e.key]) press(keys[e.key]);
    else return;
    e.preventDefault();
  });
  addEventListener("popstate", () => address(location.href) !== here && show(location.href).catch(() => location.reload()));

  const both = () => {
    follow();
    sumUp();
  };
  const incidents = throttled(() => fetchParts(location.href, ["incidents"]), 1000);
  return { report: both, status: both, incident: incidents, resync: () => { refresh(); sumUp(); } };

  function reveal(name) {
    if (!part(name).hidden) part(name).scrollIntoView({ block: "nearest" });
  }
}

// address is an address without its place on the page.
function address(url) {
  const u = new URL(url, location.href);
  return u.pathname + u.search;
}
