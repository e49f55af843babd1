// Charts under fingers: one that moves sideways marks what to zoom to, two that move
// apart or together zoom. One that moves up or down scrolls the page, as ever
// (touch-action in charts.css): the browser then takes the finger away from us.

const slack = 10; // how far a finger may stray before it marks
const least = 24; // how wide a mark is at least, as one cannot aim well with a finger
const longest = 5 * 366 * 86_400; // the longest window there is, in seconds

// followTouch follows the fingers on the plot u, one of those of shown.
export function followTouch(u, shown) {
  const fingers = new Map(); // where they are, by their pointers
  let start = null; // where one came down, or what was between two
  const all = (change) => shown.plots.forEach(change);
  const mark = (left, width) => all((p) => p.setSelect({ left, width, top: 0, height: width > 0 ? p.over.clientHeight : 0 }, false));
  const preview = (window) => {
    shown.preview = window;
    const [min, max] = window ?? shown.span;
    all((p) => p.setScale("x", { min, max }));
  };
  const place = (e) => Math.max(0, Math.min(u.over.clientWidth, e.clientX - u.over.getBoundingClientRect().left));
  const begin = () => {
    const at = [...fingers.values()];
    start = at.length === 1 ? { x: at[0], marks: false } : { times: at.slice(0, 2).map((x) => u.posToVal(x, "x")) };
  };
  const end = () => {
    fingers.clear();
    start = null;
    mark(0, 0);
    if (shown.preview) preview(null);
  };

  u.over.addEventListener("pointerdown", (e) => {
    if (e.pointerType !== "touch" || fingers.size === 2) return;
    fingers.set(e.pointerId, place(e));
    if (fingers.size === 2) mark(0, 0);
    begin();
  });
  u.over.addEventListener("pointermove", (e) => {
    if (!fingers.has(e.pointerId)) return;
    fingers.set(e.pointerId, place(e));
    if (fingers.size === 2) {
      preview(between(start.times, [...fingers.values()], u.over.clientWidth, ends(shown)));
      return;
    }
    const x = place(e);
    start.marks ||= Math.abs(x - start.x) > slack;
    if (start.marks) mark(Math.min(x, start.x), Math.abs(x - start.x));
  });
  u.over.addEventListener("pointerup", (e) => {
    if (!fingers.has(e.pointerId)) return;
    const window = fingers.size === 2 ? shown.preview : marked(u, start, place(e));
    end();
    if (window) shown.on.zoom(...window);
  });
  u.over.addEventListener("pointercancel", (e) => fingers.has(e.pointerId) && end());
}

// marked is the window that one finger has marked, null for none.
function marked(u, start, x) {
  if (!start.marks || Math.abs(x - start.x) < least) return null;
  return [Math.min(x, start.x), Math.max(x, start.x)].map((at) => u.posToVal(at, "x"));
}

// ends is when a window ends at the latest: there is nothing to come.
const ends = ({ root, span }) => (root.querySelector("[data-zoom='Later'][href]") ? Infinity : span[1]);

// between is the window in which the times that were under two fingers lie where these
// are now; null where they are too close to tell.
function between([a, b], [x, y], width, latest) {
  const each = (b - a) / (y - x); // seconds in a pixel
  if (!(each > 0) || Math.abs(y - x) < slack) return null;
  const span = Math.min(each * width, longest);
  const to = Math.min(a - each * x + each * width, latest);
  return [to - span, to];
}
