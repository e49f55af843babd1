// What every page does: times, the stream, the banner, keys. A page's own part is
// in the file of its name.

import { fetchParts, throttled } from "./fragments.js";
import { startKeys } from "./keys.js";
import { connect } from "./live.js";
import { forgetZone, refreshTimes } from "./times.js";
import { startZone } from "./zone.js";

const page = document.body.dataset.page;
const parts = (document.body.dataset.parts ?? "").split(",").filter(Boolean);

startZone(() => {
  forgetZone();
  refreshTimes();
});
refreshTimes();
setInterval(refreshTimes, 1000);

startKeys();

// refresh brings the banner and the page's parts up to date.
const banner = document.querySelector("[data-part='banner']") ? ["banner"] : [];
const refresh = throttled(() => fetchParts(location.href, [...banner, ...parts]), 500);
const refreshBanner = throttled(() => fetchParts(location.href, banner), 500);
const on = { config: refresh, resync: refresh, notices: refreshBanner };

if (page === "sites") Object.assign(on, (await import("./sites.js")).start(refresh));
if (page === "incidents") Object.assign(on, (await import("./incidents.js")).start());
if (page === "incident") Object.assign(on, (await import("./incident.js")).start(refresh));
if (page === "status") (await import("./bars.js")).followBars();
if (page === "site") Object.assign(on, (await import("./site.js")).start(refresh));

const poll = Number(document.body.dataset.poll);
if (poll) setInterval(() => document.hidden || refresh(), poll * 1000);

const events = document.body.dataset.events;
if (events) connect(events, on, document.querySelector("[data-live]"));
