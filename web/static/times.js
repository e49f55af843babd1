// Times that grow older: <time datetime data-age="short|long"> shows how long ago
// its moment was, in the words of the server's ageText; <time data-clock> shows the
// moment. Titles say it in the reader's time zone and in UTC.

import { bothText, clockText } from "./zone.js";

const units = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
];

export function ageText(seconds, long) {
  const s = Math.max(0, Math.floor(seconds));
  const i = Math.max(0, units.findIndex(([, size]) => s >= size));
  const [name, size] = s === 0 ? units[3] : units[i];
  const first = `${Math.floor(s / size)} ${name}`;
  if (!long || i >= 2 || s === 0) return first;
  const [nextName, nextSize] = units[i + 1];
  const rest = Math.floor((s % size) / nextSize);
  return rest ? `${first} ${rest} ${nextName}` : first;
}

// forgetZone lets the next refreshTimes show all times anew.
export function forgetZone() {
  for (const el of document.querySelectorAll("time[data-local]")) delete el.dataset.local;
}

export function refreshTimes(root = document) {
  const now = Date.now();
  for (const el of root.querySelectorAll("time[datetime]")) {
    const at = Date.parse(el.dateTime);
    if (!el.dataset.local) {
      el.title = bothText(at);
      el.dataset.local = "1";
      if (el.dataset.clock !== undefined) el.textContent = clockText(at);
    }
    if (el.dataset.age) {
      const text = ageText((now - at) / 1000, el.dataset.age === "long");
      if (el.textContent !== text) el.textContent = text;
    }
  }
}
