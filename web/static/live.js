// The stream of events: one EventSource, opened again with back-off, closed while
// nobody looks at the page.

const hiddenFor = 60_000; // a page in the background gives its connection back
const slowest = 30_000;

// connect opens the stream at url. on has a function for each kind of event, and
// optionally resync(), called when events may have been missed.
export function connect(url, on, indicator) {
  let source = null;
  let delay = 0;
  let retry = 0;
  let sleep = 0;
  let missed = true; // what happened since the page was made

  const show = (state, text) => {
    if (!indicator || indicator.dataset.state === state) return;
    indicator.dataset.state = state;
    indicator.textContent = text;
  };
  const close = () => {
    clearTimeout(retry);
    retry = 0;
    source?.close();
    source = null;
    missed = true;
  };
  const open = () => {
    if (source) return;
    clearTimeout(retry);
    source = new EventSource(url);
    source.onopen = () => {
      delay = 0;
      show("live", "Live");
      if (missed) on.resync?.();
      missed = false;
    };
    source.onerror = () => {
      close();
      show("reconnecting", "Reconnecting");
      delay = Math.min(slowest, Math.max(1000, delay * 2));
      retry = setTimeout(open, delay * (0.75 + Math.random() / 2));
    };
    for (const kind of ["report", "status", "incident", "config", "notices"]) {
      if (on[kind]) source.addEventListener(kind, (e) => on[kind](JSON.parse(e.data)));
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
    if (!source) open();
  });
  open();
}
