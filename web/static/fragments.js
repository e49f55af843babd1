// Parts of a page, rendered by the server, put in the place of those that stand.

import { refreshTimes } from "./times.js";

const partOf = (name) => document.querySelector(`[data-part="${CSS.escape(name)}"]`);

const patience = 20_000; // for one fetch, in milliseconds: others wait for it
const slowest = 30_000; // between two attempts

let turn = Promise.resolve(); // ends when the last of the fetches so far has

// fetchParts asks for named parts of the page at url, and makes those that stand
// like them. One fetch comes after the other, so that no older answer is put over
// a newer one.
export function fetchParts(url, names, signal) {
  const mine = turn.then(() => fetchNow(url, names, signal));
  turn = mine.catch(() => {});
  return mine;
}

async function fetchNow(url, names, signal) {
  const u = new URL(url, location.href);
  u.hash = "";
  u.searchParams.set("parts", names.join(","));
  const asked = performance.now();
  const late = AbortSignal.timeout(patience);
  const answer = await fetch(u, { signal: signal ? AbortSignal.any([signal, late]) : late, headers: { accept: "text/html", "last-event-id": document.body.dataset.seen ?? "" } });
  if (!answer.ok) throw Object.assign(new Error(`${u.pathname}: status ${answer.status}`), { status: answer.status });
  fill(await answer.text());
  document.dispatchEvent(new CustomEvent("parts", { detail: { names, asked } }));
}

// fill puts parts, as the server rendered them, in the place of those that stand.
export function fill(html) {
  for (const part of new DOMParser().parseFromString(html, "text/html").querySelectorAll("[data-part]")) {
    const old = partOf(part.dataset.part);
    if (old) change(old, part);
  }
}

// change makes old like fresh. What the focus is on keeps it, also where it moved.
function change(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const href = focused?.getAttribute("href");
  const { title, icon } = fresh.dataset;
  morph(old, fresh);
  refreshTimes(old);
  if (title) document.title = document.body.classList.contains("status-page") ? title : `${title} · SiteMon`;
  const link = document.querySelector("[data-icon][rel='icon']");
  if (icon && !link.href.endsWith(`/${icon}`)) link.href = link.href.replace(/[^/]*$/, icon);
  if (href && (!old.contains(focused) || focused.getAttribute("href") !== href)) {
    [...old.querySelectorAll("a")].find((a) => a.getAttribute("href") === href)?.focus({ preventScroll: true });
  }
}

// morph changes as little as possible, so that live regions are read out only
// when they say something else. Elements with data-own are a script's; with
// data-keep the server says that it has nothing new. What the reader has unfolded, or
// folded, stays so where data-fold says that it is the same.
function morph(a, b) {
  if (a.nodeType !== b.nodeType || a.nodeName !== b.nodeName) {
    a.replaceWith(document.adoptNode(b));
    return;
  }
  if (a.nodeType !== Node.ELEMENT_NODE) {
    if (a.data !== b.data) a.data = b.data;
    return;
  }
  if (a.dataset.own !== undefined || b.dataset.keep !== undefined) return;
  if (a.nodeName === "TIME" && a.dateTime === b.dateTime) return;
  const theirs = (name) => name === "open" && a.dataset.fold !== undefined && a.dataset.fold === b.dataset.fold;
  for (const { name } of [...a.attributes]) if (!b.hasAttribute(name) && !theirs(name)) a.removeAttribute(name);
  for (const { name, value } of b.attributes) if (a.getAttribute(name) !== value && !theirs(name)) a.setAttribute(name, value);
  const had = [...a.childNodes];
  const has = [...b.childNodes];
  has.forEach((node, i) => (i < had.length ? morph(had[i], node) : a.append(document.adoptNode(node))));
  had.slice(has.length).forEach((node) => node.remove());
}

// throttled returns a function that calls run soon, and while calls keep coming
// at most once each wait milliseconds; never twice at the same time. Where it fails,
// and may succeed later, it is called again.
export function throttled(run, wait) {
  let timer = 0;
  let due = 0; // when the timer ends
  let running = false;
  let again = false;
  let last = 0;
  let failures = 0;
  const schedule = (pause) => {
    const at = Math.max(Date.now(), last + pause);
    if (timer && due <= at) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(now, at - Date.now());
  };
  const later = () => {
    if (running) again = true;
    else schedule(wait);
  };
  const now = async () => {
    timer = 0;
    last = Date.now();
    running = true;
    again = false;
    let failed = false;
    try {
      await run();
    } catch (err) {
      failed = err.name !== "AbortError" && !(err.status < 500);
      if (err.status === 404 || err.status === 401) location.reload(); // the site was removed, the session is over: say so
      else if (err.name !== "AbortError") console.info("sitemon:", err.message);
    }
    running = false;
    failures = failed ? failures + 1 : 0;
    if (failed) schedule(Math.min(slowest, 1000 * 2 ** failures) * (0.75 + Math.random() / 2)); // not all pages at once
    else if (again) schedule(wait);
  };
  return later;
}
