// What every page does: times, the stream, the banner, keys. A page's own part is
// in the file of its name.

import { fetchParts, throttled } from "./fragments.js";
import { startKeys } from "./keys.js";
import { connect } from "./live.js";
import { forgetZone, refreshTimes } from "./times.js";
import { startZone } from "./zone.js";

const againWait = 3000; // before the page of an error is tried again, in milliseconds

const page = document.body.dataset.page;
const parts = (document.body.dataset.parts ?? "").split(",").filter(Boolean);

startZone(() => {
  forgetZone();
  refreshTimes();
});
refreshTimes();
setInterval(refreshTimes, 1000);

startKeys();
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); // where it is too narrow for all

// refresh brings the banner and the page's parts up to date.
const banner = document.querySelector("[data-part='banner']") ? ["banner"] : [];
const refresh = throttled(() => fetchParts(location.href, [...banner, ...parts]), 500);
const refreshBanner = throttled(() => fetchParts(location.href, banner), 500);
const on = { config: refresh, resync: refresh, failed: refresh, notices: refreshBanner, hello: ({ pages }) => renew(pages) };

if (page === "sites") Object.assign(on, (await import("./sites.js")).start(refresh));
if (page === "incidents") Object.assign(on, (await import("./incidents.js")).start());
if (page === "incident") Object.assign(on, (await import("./incident.js")).start(refresh));
if (page === "status") (await import("./bars.js")).followBars();
if (page === "site") Object.assign(on, (await import("./site.js")).start(refresh));

if (document.querySelector("[data-again]")) throttled(tryAgain, againWait)();

const poll = Number(document.body.dataset.poll);
if (poll) setInterval(() => document.hidden || refresh(), poll * 1000);

const events = document.body.dataset.events;
if (events) connect(events, on, document.querySelector("[data-live]"), document.body.dataset.seen);

// tryAgain loads a page again that could not be shown, once it can be.
async function tryAgain() {
  await new Promise((done) => setTimeout(done, againWait));
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) throw Object.assign(new Error(`status ${answer.status}`), { status: answer.status });
  location.reload();
}

// renew loads the page again where the server has become another version, whose parts
// may not fit. Who is writing is left in peace, and so is a page that has just been
// loaded: there may be two versions for a while.
function renew(pages) {
  const writing = [...document.querySelectorAll("main :is(input:not([type='search'], [type='hidden']), textarea)")].some((f) => f.value !== f.defaultValue);
  if (import.meta.url.includes(`/${pages}/`) || writing || performance.now() < 10_000) return;
  location.reload();
}
