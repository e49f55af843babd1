// The list of sites: filters held in the address, rows that follow the events.

import { announceHeading } from "./announce.js";
import { followBars } from "./bars.js";
import { fetchParts, throttled } from "./fragments.js";
import { latencyText } from "./text.js";

const manyRows = 50; // changed at once: the whole list is fetched instead
const manyWait = 2000; // after that, in milliseconds: it is much to fetch
const viewWait = 10_000; // between two fetches of the rows in view, where reports are too many to follow

export function start(refresh) {
  const rows = new Rows();
  const matrix = document.querySelector("site-matrix");
  document.addEventListener("parts", ({ detail: { names, asked } }) => names.includes("matrix") && matrix.read(asked));
  const changes = followChanges(rows);
  filterLive();
  followBars();
  announceHeading();
  followView(rows);
  const sumUp = throttled(() => fetchParts(location.href, ["summary"]), 1000);
  return {
    incident: sumUp,
    status: (s) => {
      matrix.set(s.site, s.status, s.reason);
      changes(s.site);
    },
    report: (r) => {
      if (rows.of(r.site)?.dataset.fresh !== undefined) changes(r.site); // its first report
      rows.latency(r.site, r.outcome === "unknown" ? 0 : r.duration_us);
    },
    resync: refresh,
    config: refresh,
  };
}

const plainClick = (e) => !(e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.button);

// Rows finds the row of a site, and draws latencies a few times a second.
class Rows {
  #rows = null;
  #latencies = new Map();
  #timer = 0;

  constructor() {
    document.addEventListener("parts", () => (this.#rows = null));
  }

  of(site) {
    this.#rows ??= new Map([...document.querySelectorAll("tr[data-part]")].map((tr) => [tr.dataset.part.slice("row:".length), tr]));
    return this.#rows.get(site);
  }

  // inView lists the sites whose rows can be seen, or will be a little later.
  inView() {
    return [...document.querySelectorAll("tr[data-part]")]
      .filter((tr) => {
        const { top, bottom } = tr.getBoundingClientRect();
        return bottom > 0 && top < 1.5 * innerHeight;
      })
      .map((tr) => tr.dataset.part.slice("row:".length));
  }

  latency(site, us) {
    this.#latencies.set(site, us);
    this.#timer ||= setTimeout(() => this.#draw(), 250);
  }

  #draw() {
    this.#timer = 0;
    for (const [site, us] of this.#latencies) {
      const cell = this.of(site)?.querySelector("[data-latency]");
      const text = latencyText(us);
      if (cell && cell.textContent !== text) cell.textContent = text;
    }
    this.#latencies.clear();
  }
}

// fetchRows fetches rows by their names, and parts beside them.
function fetchRows(names, parts) {
  const u = new URL(location.href);
  names.forEach((name) => u.searchParams.append("site", name));
  return fetchParts(u, [...parts, "rows"]);
}

// followView fetches the rows in view from time to time, while there are more
// reports than a page can follow one by one.
function followView(rows) {
  const fetchView = throttled(async () => {
    const names = rows.inView();
    if (names.length > 0) await fetchRows(names, []);
  }, 0);
  setInterval(() => {
    if (!document.hidden && document.querySelector("[data-busy]")) fetchView();
  }, viewWait);
}

// followChanges returns a function to call with a site whose row has changed: what
// changed is fetched together.
function followChanges(rows) {
  const changed = new Set();
  const fetchList = async () => {
    await fetchParts(location.href, ["summary", "chips", "list"]);
    await new Promise((done) => setTimeout(done, manyWait));
  };
  const fetchChanges = throttled(async () => {
    const names = [...changed];
    changed.clear();
    try {
      if (names.length > manyRows || new URLSearchParams(location.search).get("status")) {
        await fetchList();
        return;
      }
      await fetchRows(names, ["summary", "chips", "found"]);
      for (const name of names) flash(rows.of(name));
      if (shapeOf("found") !== shapeOf("list")) await fetchList();
    } catch (err) {
      names.forEach((name) => changed.add(name));
      throw err;
    }
  }, 500);
  return (site) => {
    changed.add(site);
    fetchChanges();
  };
}

// shapeOf says which groups are folded and how many rows the others have, in the list
// or as it would be now: a site that goes down in a folded group unfolds it.
const shapeOf = (name) => document.querySelector(`[data-part='${name}']`)?.dataset.shape;

function flash(row) {
  if (!row) return;
  row.classList.add("changed");
  row.addEventListener("animationend", () => row.classList.remove("changed"), { once: true });
}

// filterLive shows the list anew while the filters change, and keeps the address.
function filterLive() {
  const form = document.querySelector("[data-filters]");
  if (!form) return;
  let loading = null;
  let typing = 0;

  // load shows the list at url; the newest call wins.
  const load = async (url) => {
    clearTimeout(typing);
    loading?.abort();
    loading = new AbortController();
    try {
      await fetchParts(url, ["summary", "chips", "matrix", "list"], loading.signal);
    } catch (err) {
      if (err.name !== "AbortError") location.assign(url); // the browser says what is wrong
    }
  };
  const formURL = () => {
    const u = new URL("/", location.href);
    for (const [name, value] of new FormData(form)) if (value) u.searchParams.append(name, value);
    for (const name of ["open", "folded"]) {
      for (const value of new URLSearchParams(location.search).getAll(name)) u.searchParams.append(name, value);
    }
    return u;
  };
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      history.replaceState(null, "", formURL());
      load(location.href);
    }, 150);
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    history.replaceState(null, "", formURL());
    load(location.href);
  });
  document.addEventListener("click", (e) => {
    const link = plainClick(e) && e.target.closest("[data-filter-status], [data-sort], [data-fold]");
    if (!link) return;
    e.preventDefault();
    history.pushState(null, "", link.href);
    fillForm();
    load(link.href);
  });
  const fillForm = () => {
    const query = new URLSearchParams(location.search);
    for (const field of form.elements) if (field.name) field.value = query.get(field.name) ?? "";
  };
  addEventListener("popstate", () => {
    fillForm();
    load(location.href);
  });
}
