// A day as a grid of its minutes, and the bars that open one: what is under the pointer
// or the keyboard's place, in words.

import { dateOf, dayAt, sayDay } from "./bars.js";
import { latencyText } from "./text.js";
import { hideTip, showTip } from "./tip.js";
import { zone } from "./zone.js";

const words = { up: "up", degraded: "degraded", down: "down", maintenance: "in maintenance", unknown: "nothing known" };
const two = (n) => String(n).padStart(2, "0");

// cellAt is the stretch of like minutes in which a minute of a row lies; null where it
// is to come.
function cellAt(row, minute) {
  let from = 0;
  for (const line of row.dataset.cells.split("\n").filter(Boolean)) {
    const [minutes, kind, us, ...reason] = line.split(" ");
    if (minute < from + Number(minutes)) return { kind, us: Number(us), reason: reason.join(" ") };
    from += Number(minutes);
  }
  return null;
}

// clockOf is when a minute of a row is: "14:07".
function clockOf(row, minute) {
  const [, hour, first, offset] = row.dataset.clockText.match(/^(\d\d):(\d\d)(.*)$/);
  const at = Number(hour) * 60 + Number(first) + minute;
  return `${two(Math.floor(at / 60) % 24)}:${two(at % 60)}${offset}`;
}

function sayMinute(row, minute) {
  const cell = cellAt(row, minute);
  if (!cell) return "is to come";
  const text = cell.us > 0 ? `${words[cell.kind]}, slowest ${latencyText(cell.us)}` : words[cell.kind];
  return cell.reason ? `${text}: ${cell.reason}` : text;
}

const minuteAt = (row, x) => {
  const box = row.getBoundingClientRect();
  return Math.max(0, Math.min(59, Math.floor(((x - box.left) / box.width) * 60)));
};

// followMinutes follows pointer and keys, on grids and bars that come later too. open
// shows another address on this page.
export function followMinutes(open) {
  let over = false;
  document.addEventListener("pointermove", (e) => {
    const row = e.target.closest?.("[data-cells]");
    const links = e.target.closest?.("[data-day-links]");
    if (row) {
      showTip(e.clientX, e.clientY, clockOf(row, minuteAt(row, e.clientX)), sayMinute(row, minuteAt(row, e.clientX)));
    } else if (links) {
      const bars = links.previousElementSibling;
      const day = dayAt(bars, e.clientX);
      showTip(e.clientX, e.clientY, dateOf(bars, day), sayDay(bars, day));
    } else if (over) {
      hideTip();
    }
    over = Boolean(row || links);
  });
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return;
    const grid = e.target.closest?.("[data-minutes]");
    if (grid === e.target && grid) gridKey(e, grid, open);
    else if (e.target.closest?.("[data-day-links]")) barKey(e);
  });
  document.addEventListener("focusin", (e) => {
    if (e.target.matches("[data-day-links] a:focus-visible")) tellDay(e.target);
    else if (e.target.matches("[data-minutes]:focus-visible")) move(e.target, place(e.target));
  });
  document.addEventListener("focusout", (e) => {
    if (!e.target.matches("[data-day-links] a, [data-minutes]")) return;
    hideTip();
    const cursor = document.querySelector(".minute-cursor");
    if (cursor) cursor.hidden = true;
  });
  document.addEventListener("parts", () => {
    nameZone();
    forgetPlace();
  });
  addEventListener("zonechange", nameZone);
  nameZone();
}

// barKey goes from bar to bar; only one of them is a stop of the Tab key.
function barKey(e) {
  const all = [...e.target.closest("[data-day-links]").querySelectorAll("a")];
  const at = all.indexOf(e.target);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[e.key];
  if (next === undefined) return;
  e.preventDefault();
  const link = all[Math.max(0, Math.min(all.length - 1, next))];
  for (const a of all) a.setAttribute("tabindex", a === link ? "0" : "-1");
  link.focus({ preventScroll: true });
}

function tellDay(link) {
  const box = link.getBoundingClientRect();
  const [title, ...text] = link.getAttribute("aria-label").split(": ");
  showTip(box.left, box.bottom, title, text.join(": "));
}

const rowsOf = (grid) => [...grid.querySelectorAll("[data-cells]")];

// forgetPlace forgets where the keyboard is when the grid shows another day.
function forgetPlace() {
  const grid = document.querySelector("[data-minutes]");
  if (!grid?.place || grid.place.day === grid.dataset.minutes) return;
  delete grid.place;
  grid.querySelector(".minute-cursor").hidden = true;
  if (grid === document.activeElement) move(grid, place(grid));
}

// place is where the keyboard is in a grid; at first, the first minute that was down, or
// else the first of all.
function place(grid) {
  if (grid.place) return grid.place;
  const bad = rowsOf(grid).findIndex((row) => row.dataset.cells.includes(" down "));
  let minute = 0;
  if (bad >= 0) while (cellAt(rowsOf(grid)[bad], minute)?.kind !== "down") minute++;
  return { row: Math.max(bad, 0), minute };
}

function gridKey(e, grid, open) {
  const { row, minute } = place(grid);
  const rows = rowsOf(grid);
  const at = row * 60 + minute;
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - 60, ArrowDown: at + 60, Home: row * 60, End: row * 60 + 59 }[e.key];
  if (e.key === "Enter") openHour(rows[row], open);
  else if (e.key === "Escape") hideTip();
  else if (next === undefined) return;
  else if (next >= 0 && next < rows.length * 60) move(grid, { row: Math.floor(next / 60), minute: next % 60 });
  e.preventDefault();
}

// openHour shows the hour of a row in the charts, unless it is to come.
function openHour(row, open) {
  const link = row.closest("tr").querySelector("a");
  if (link) open(link.href);
}

// move puts the keyboard's place on a minute, and says it.
function move(grid, { row, minute }) {
  grid.place = { row, minute, day: grid.dataset.minutes };
  const svg = rowsOf(grid)[row];
  const box = svg.getBoundingClientRect();
  const edge = grid.getBoundingClientRect();
  const cursor = grid.querySelector(".minute-cursor");
  cursor.hidden = false;
  Object.assign(cursor.style, {
    left: `${box.left - edge.left + (box.width * minute) / 60}px`, top: `${box.top - edge.top}px`,
    width: `${box.width / 60}px`, height: `${box.height}px`,
  });
  cursor.scrollIntoView({ block: "nearest" });
  const [title, text] = [clockOf(svg, minute), sayMinute(svg, minute)];
  const now = svg.getBoundingClientRect();
  showTip(now.left + (now.width * minute) / 60, now.bottom, title, text);
  grid.querySelector("[data-said]").textContent = `${title} ${text}`;
}

// nameZone offers the day in the reader's time zone, where that is another.
function nameZone() {
  const elsewhere = document.querySelector("[data-elsewhere]");
  if (!elsewhere || zone() === "UTC") return;
  const link = elsewhere.querySelector("a");
  const url = new URL(link.href);
  url.searchParams.set("tz", zone());
  link.href = url.href;
  link.textContent = `show in ${zone()}`;
  elsewhere.hidden = false;
}
