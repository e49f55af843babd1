// The time zone in which times are shown: the browser's, or one that the reader chose.

const clocks = new Map(); // formatters by zone: to make one is slow

function read() {
  try {
    return localStorage.getItem("zone") ?? "";
  } catch {
    return ""; // storage is switched off
  }
}

let chosen = known(read()) ? read() : "";

function known(zone) {
  try {
    return Boolean(clockOf(zone));
  } catch {
    return false; // another version of the browser's time zones
  }
}

function clockOf(zone) {
  if (!clocks.has(zone)) {
    clocks.set(zone, new Intl.DateTimeFormat("en-CA", {
      timeZone: zone || undefined, hourCycle: "h23",
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }));
  }
  return clocks.get(zone);
}

const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

// zone is the name of the time zone in which times are shown.
export const zone = () => chosen || browserZone;

// clockText is a moment as 2006-01-02 15:04:05 in the zone; zoneName says which.
export function clockText(at, zoneName = chosen) {
  const p = Object.fromEntries(clockOf(zoneName).formatToParts(at).map(({ type, value }) => [type, value]));
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
}

// wall is a Date whose local hours and days are those of the zone, for what only
// knows the browser's.
export function wall(at) {
  if (!chosen) return new Date(at);
  const [year, month, day, hour, minute, second] = clockText(at).split(/[- :]/).map(Number);
  return new Date(year, month - 1, day, hour, minute, second);
}

// bothText is a moment in the zone and in UTC, each with its name.
export const bothText = (at) => `${clockText(at)} ${zone()}\n${clockText(at, "UTC")} UTC`;

// startZone fills the page's choice of zones, and calls changed when there is another.
export function startZone(changed) {
  const select = document.querySelector("[data-zone]");
  const set = (name) => {
    chosen = known(name) ? name : "";
    if (select) fill(select, false);
    changed();
    dispatchEvent(new Event("zonechange"));
  };
  addEventListener("storage", (e) => e.key === "zone" && set(e.newValue ?? ""));
  if (!select) return;
  fill(select, false);
  // All zones are many: they come when somebody wants to choose.
  const all = () => fill(select, true);
  select.addEventListener("focus", all, { once: true });
  select.addEventListener("pointerdown", all, { once: true });
  select.addEventListener("change", () => {
    try {
      localStorage.setItem("zone", select.value);
    } catch {
      // it holds for this page
    }
    set(select.value);
  });
}

function fill(select, all) {
  if (!all && select.dataset.all) {
    select.value = chosen;
    return;
  }
  const names = all ? Intl.supportedValuesOf("timeZone") : [];
  const options = [["", `${browserZone} (browser)`], ...[...new Set(["UTC", ...(chosen ? [chosen] : []), ...names])].map((name) => [name, name])];
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = chosen;
  if (all) select.dataset.all = "1";
}
