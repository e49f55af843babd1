// The stream of events: one EventSource, opened again with back-off, closed while
// nobody looks at the page.

const hiddenFor = 15_000; // a page in the background gives its connection back: browsers have six for a host
const slowest = 30_000;
const oldAfter = 60_000; // what no event tells of, such as availability, is old then

// connect opens the stream at url. on has a function for each kind of event, and
// optionally hello(), called with what the stream begins with, resync(), called when
// the page is not up to date, and failed(), called when the stream could not be opened.
// seen is the id of the last event before the page was made, "" where the page shows
// what such ids do not count.
export function connect(url, on, indicator, seen) {
  const counted = Boolean(seen);
  const see = (id) => (document.body.dataset.seen = seen = id); // fetches tell it
  let source = null;
  let live = false;
  let current = performance.timeOrigin; // when the page was up to date
  let delay = 0;
  let retry = 0;
  let sleep = 0;

  // show says in the page how the stream is. Only what comes after the first is read out.
  const show = (state, text) => {
    if (!indicator || indicator.dataset.state === state) return;
    indicator.dataset.state = state;
    indicator.textContent = text;
    setTimeout(() => indicator.setAttribute("role", "status"));
  };
  const close = () => {
    clearTimeout(retry);
    retry = 0;
    source?.close();
    source = null;
    if (live) current = Date.now();
    live = false;
  };
  const open = () => {
    if (source) return;
    clearTimeout(retry);
    source = new EventSource(url);
    source.addEventListener("hello", (e) => {
      const missed = !counted || e.lastEventId !== seen || Date.now() - current > oldAfter;
      see(e.lastEventId);
      live = true;
      delay = 0;
      show("live", "Live");
      on.hello?.(JSON.parse(e.data));
      if (missed) on.resync?.();
    });
    source.onerror = () => {
      if (!live) on.failed?.();
      close();
      show("reconnecting", "Reconnecting");
      delay = Math.min(slowest, Math.max(1000, delay * 2));
      retry = setTimeout(open, delay * (0.75 + Math.random() / 2));
    };
    for (const kind of ["report", "status", "incident", "config", "notices"]) {
      if (kind === "report" && !on[kind]) continue; // they are many, and not counted
      source.addEventListener(kind, (e) => {
        see(e.lastEventId);
        on[kind]?.(JSON.parse(e.data));
      });
    }
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(sleep);
    if (document.hidden) sleep = setTimeout(close, hiddenFor);
    else open();
  });
  addEventListener("pagehide", close); // so that the page may go into the back-forward cache
  addEventListener("pageshow", (e) => e.persisted && open());
  addEventListener("online", () => {
    delay = 0;
    if (!source && !document.hidden) open();
  });
  if (!document.hidden) open();
}
