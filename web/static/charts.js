// The charts of a site: percentiles of latency, phases, and how the latencies are
// distributed, drawn by uPlot from the API's availability. They have one cursor, and
// what is marked with the pointer on one is marked on all. The server's drawings stay
// where that fails.

import { bucketEnds, colour, drawBands, drawColumns, drawHeat, drawMarks, heatOf, heatPosition, phases } from "./charts_draw.js";
import { followTouch } from "./charts_touch.js";
import { latencyText } from "./text.js";
import { ageText } from "./times.js";
import { wall } from "./zone.js";

const two = (n) => String(n).padStart(2, "0");
const months = Array.from({ length: 12 }, (_, m) => new Intl.DateTimeFormat("en", { month: "short" }).format(new Date(2024, m, 1)));
const dayText = (d) => `${d.getDate()} ${months[d.getMonth()]}`;
const clockText = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;
const stepText = (start, end) => {
  const [a, b] = [wall(start * 1000), wall(end * 1000)];
  return `${dayText(a)} ${clockText(a)} – ${end - start > 86_400 ? `${dayText(b)} ` : ""}${clockText(b)}`;
};

const drawn = new WeakMap(); // what is on the holders of charts, also by an earlier call

// drawCharts draws what root, which names the figures in data-charts, has room for.
// on.zoom is called with two moments when the reader has marked what is between them,
// on.undo when they want back. It returns load, to bring the charts up to date, and
// leave, to draw no more.
export function drawCharts(root, on) {
  if (!root || !window.uPlot) return null;
  const kinds = { "": latencyKind, phases: phasesKind, heat: heatKind };
  const shown = { root, on, buckets: [], ends: [], span: [], marks: [], plots: new Map() };
  let gone = false;

  const load = async () => {
    const answer = await fetch(root.dataset.charts);
    if (!answer.ok || gone) return;
    const data = await answer.json();
    if (gone) return;
    shown.span = [Date.parse(data.from) / 1000, Date.parse(data.to) / 1000];
    shown.buckets = data.buckets;
    shown.ends = bucketEnds(data.buckets, shown.span);
    shown.marks = JSON.parse(root.dataset.marks || "null") ?? [];
    shown.heat = heatOf(data.buckets);
    for (const holder of root.querySelectorAll("[data-chart]")) show(shown, holder, kinds[holder.dataset.chart]);
  };

  const size = new ResizeObserver((all) => {
    for (const { target } of all) shown.plots.get(target)?.setSize({ width: target.clientWidth, height: target.clientHeight });
  });
  for (const holder of root.querySelectorAll("[data-chart]")) size.observe(holder);
  const recolour = () => shown.plots.forEach((plot) => plot.redraw());
  const rezone = () => shown.plots.forEach((plot) => plot.redraw(true, true));
  addEventListener("themechange", recolour);
  addEventListener("zonechange", rezone);

  load().catch((err) => console.info("sitemon:", err.message));
  return {
    load,
    leave() {
      gone = true;
      size.disconnect();
      removeEventListener("themechange", recolour);
      removeEventListener("zonechange", rezone);
    },
  };
}

// show brings one chart up to date. What another script run has drawn there stays until
// it is replaced, so that nothing flashes.
function show(shown, holder, kind) {
  const series = kind.data(shown);
  const known = series !== null;
  if (holder.dataset.chart) holder.closest("figure").hidden = !known;
  const plot = shown.plots.get(holder);
  if (!known) {
    erase(shown, holder);
    if (holder.dataset.own !== undefined) {
      holder.replaceChildren(Object.assign(document.createElement("p"), { className: "empty", textContent: "No reports in this time" }));
    }
    return;
  }
  if (plot) {
    plot.setData(series);
    return;
  }
  const tip = Object.assign(document.createElement("div"), { className: "chart-tip", hidden: true });
  erase(shown, holder);
  holder.dataset.own = "";
  holder.replaceChildren(tip);
  shown.plots.set(holder, new window.uPlot(options(shown, holder, kind, tip), series, holder));
  drawn.set(holder, shown.plots.get(holder));
}

// erase ends what is drawn on a holder: it would go on to listen, and to share the
// cursor.
function erase(shown, holder) {
  drawn.get(holder)?.destroy();
  drawn.delete(holder);
  shown.plots.delete(holder);
}

const middles = ({ buckets, ends, span }) => buckets.map((b, i) => (Math.max(Date.parse(b.start) / 1000, span[0]) + ends[i]) / 2);
const column = (buckets, name) => buckets.map((b) => (b.latency_us?.[name] ? b.latency_us[name] / 1000 : null));
const zeroUp = (_u, _min, max) => [0, max > 0 ? max * 1.1 : 100];
const latencyAxis = (_u, splits) => splits.map((ms) => (ms === 0 ? "0" : axisLatency(ms)));
const axisLatency = (ms) => (ms >= 1000 ? `${+(ms / 1000).toFixed(2)} s` : `${+ms.toFixed(3)} ms`);

// The kinds of charts: their data (null: nothing known), scale, lines, drawing, and
// what they say of a step.
const latencyKind = {
  data: (shown) => (shown.buckets.some((b) => b.reports > 0 || b.maintenance_s > 0) ? [middles(shown), ...["p50", "p95", "p99"].map((p) => column(shown.buckets, p))] : null),
  range: () => zeroUp,
  axis: () => ({ values: latencyAxis }),
  series: (of) => [
    { stroke: of("--p50"), width: 2 },
    { stroke: of("--p95"), width: 2 },
    { stroke: of("--p99"), width: 1.5, dash: [5, 3], points: { size: 4 } },
  ],
  when: "drawClear", // under the grid
  draw: (u, holder, shown) => drawBands(u, holder, shown),
  words(shown, i) {
    const b = shown.buckets[i];
    const lines = [];
    if (b.latency_us?.p95) lines.push(`p50 ${latencyText(b.latency_us.p50)} · p95 ${latencyText(b.latency_us.p95)} · p99 ${latencyText(b.latency_us.p99)}`);
    if (b.down_s > 0) lines.push(`down for ${ageText(b.down_s, true)}`);
    if (b.maintenance_s > 0) lines.push(`in maintenance for ${ageText(b.maintenance_s, true)}`);
    if (b.coverage > 0 || !b.maintenance_s) lines.push(b.coverage > 0 ? `${b.reports} reports` : "nothing known");
    const start = Date.parse(b.start);
    for (const m of shown.marks) {
      if (Date.parse(m.at) < shown.ends[i] * 1000 && Date.parse(m.until ?? m.at) >= start && lines.length < 8) lines.push(m.text);
    }
    return lines;
  },
};

const phasesKind = {
  data({ buckets, ...shown }) {
    const totals = buckets.map((b) => (b.latency_us ? phases.reduce((sum, p) => sum + b.latency_us.phases[p], 0) / 1000 : null));
    return totals.some((t) => t > 0) ? [middles({ buckets, ...shown }), totals] : null;
  },
  range: () => zeroUp,
  axis: () => ({ values: latencyAxis }),
  series: () => [{ paths: () => null, points: { show: false } }],
  when: "drawAxes", // over the grid
  draw: (u, holder, shown) => drawColumns(u, holder, shown),
  words(shown, i) {
    const l = shown.buckets[i].latency_us;
    return l ? phases.filter((p) => l.phases[p] > 0).map((p) => `${p} ${latencyText(l.phases[p])}`).reverse() : ["nothing known"];
  },
};

const heatKind = {
  data: (shown) => (shown.heat ? [middles(shown), shown.buckets.map(() => shown.heat.low)] : null),
  range: (shown) => () => [shown.heat.low, shown.heat.high + 1],
  axis: (shown) => ({
    splits: () => heatTicks(shown.heat).map((us) => heatPosition(us, shown.heat.shift)),
    values: () => heatTicks(shown.heat).map((us) => axisLatency(us / 1000)),
    filter: (_u, splits) => splits,
  }),
  series: () => [{ paths: () => null, points: { show: false } }],
  when: "drawAxes",
  draw: (u, holder, shown) => drawHeat(u, holder, shown),
  words(shown, i, u) {
    const row = Math.floor(u.posToVal(u.cursor.top, "y"));
    const total = shown.heat.totals[i];
    const count = shown.heat.counts[i].get(row) ?? 0;
    const text = `${latencyText(shown.heat.from(row))} to ${latencyText(shown.heat.from(row + 1))}`;
    return total ? [text, `${count} of ${total} answers, ${+((100 * count) / total).toFixed(1)} %`] : ["no answers"];
  },
};

// heatTicks are round latencies on the heatmap's scale, in µs.
function heatTicks({ low, high, from }) {
  const [least, most] = [from(low), from(high + 1)];
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let ten = 1; ten <= most; ten *= 10) for (const step of steps) if (ten * step >= least && ten * step <= most) ticks.push(ten * step);
    if (ticks.length <= 6) return ticks;
  }
  return [least, most];
}

function options(shown, holder, kind, tip) {
  const of = (token) => () => colour(holder, token);
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: of("--muted"), font, grid: { stroke: of("--grid"), width: 1 }, ticks: { show: false } };
  return {
    tzDate: (seconds) => wall(seconds * 1000),
    width: holder.clientWidth,
    height: holder.clientHeight,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: true, y: false, setScale: false },
      sync: { key: "site", scales: ["x", null] },
      bind: { dblclick: () => () => shown.on.undo() },
    },
    scales: { x: { range: () => shown.preview ?? shown.span }, y: { range: kind.range(shown) } },
    axes: [
      { ...axis, space: 70, size: 30, values: (_u, splits, _axis, _space, incr) => axisTexts(splits, incr) },
      { ...axis, size: 62, space: 34, ...kind.axis(shown) },
    ],
    series: [{}, ...kind.series(of)],
    hooks: {
      ready: [(u) => followTouch(u, shown)],
      [kind.when]: [(u) => kind.draw(u, holder, shown)],
      draw: [(u) => drawMarks(u, holder, shown)],
      setCursor: [(u) => showTip(u, tip, shown, kind)],
      setSelect: [(u) => u.select.width >= 4 && shown.on.zoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"))],
    },
  };
}

// axisTexts name the day at the first of the clock times, unless a midnight is among
// them.
function axisTexts(splits, incr) {
  const texts = splits.map((s) => axisText(s, incr));
  if (texts.length > 0 && texts.every((text) => text.includes(":"))) texts[0] = `${dayText(wall(splits[0] * 1000))} ${texts[0]}`;
  return texts;
}

function axisText(seconds, incr) {
  const d = wall(seconds * 1000);
  if (incr >= 86_400 * 300) return String(d.getFullYear());
  if (incr >= 86_400 || (d.getHours() === 0 && d.getMinutes() === 0)) return dayText(d);
  return clockText(d);
}

// showTip says what is under the cursor, on the chart where the pointer is.
function showTip(u, tip, shown, kind) {
  const i = u.cursor.idx ?? -1;
  tip.hidden = !shown.buckets[i] || u.cursor.left < 0 || !u.over.matches(":hover");
  if (tip.hidden) return;
  const lines = [stepText(Date.parse(shown.buckets[i].start) / 1000, shown.ends[i]), ...kind.words(shown, i, u)];
  tip.replaceChildren(...lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })));
  const x = u.over.offsetLeft + u.cursor.left;
  const flip = x > u.width / 2;
  tip.style.transform = `translateX(${Math.round(flip ? x - tip.offsetWidth - 12 : x + 12)}px)`;
}
