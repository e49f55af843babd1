// Strips of days (<svg data-bars="first day">): the day under the pointer, in words.

import { hideTip, showTip } from "./tip.js";

const notesOf = new WeakMap();

function notes(svg) {
  const text = svg.dataset.notes ?? "";
  let known = notesOf.get(svg);
  if (known?.text !== text) {
    const byDay = new Map(text.split("\n").filter(Boolean).map((line) => [Number.parseInt(line, 10), line.slice(line.indexOf(" ") + 1)]));
    known = { text, byDay };
    notesOf.set(svg, known);
  }
  return known.byDay;
}

// dayAt is which day of the strip lies at a horizontal place of the window.
export function dayAt(svg, x) {
  const box = svg.getBoundingClientRect();
  const days = svg.viewBox.baseVal.width;
  return Math.max(0, Math.min(days - 1, Math.floor(((x - box.left) / box.width) * days)));
}

// dateOf is the date of a day of the strip, as 2006-01-02.
export const dateOf = (svg, day) => new Date(Date.parse(svg.dataset.bars) + day * 86_400_000).toISOString().slice(0, 10);

// sayDay says how a day was.
export function sayDay(svg, day) {
  const note = notes(svg).get(day);
  if (note) return note;
  const up = [...svg.querySelectorAll(".bar-up")].some((path) => path.isPointInFill(new DOMPoint(day + 0.5, 12)));
  return up ? "up all day" : "nothing known";
}

export function followBars() {
  let over = null;
  document.addEventListener("pointermove", (e) => {
    const svg = e.target.closest?.("[data-bars]");
    if (svg) showTip(e.clientX, e.clientY, dateOf(svg, dayAt(svg, e.clientX)), sayDay(svg, dayAt(svg, e.clientX)));
    else if (over) hideTip();
    over = svg;
  });
  addEventListener("scroll", hideTip, { passive: true, capture: true });
}
