// The chart of a site's latency, with the time it was down, drawn by uPlot from
// the API's availability. The server's drawing stays where that fails.

import { ageText } from "./times.js";
import { latencyText } from "./text.js";
import { wall } from "./zone.js";

const two = (n) => String(n).padStart(2, "0");
const months = Array.from({ length: 12 }, (_, m) => new Intl.DateTimeFormat("en", { month: "short" }).format(new Date(2024, m, 1)));
const dayText = (d) => `${d.getDate()} ${months[d.getMonth()]}`;
const clockText = (d) => `${two(d.getHours())}:${two(d.getMinutes())}`;

// drawChart puts a chart into holder, which names its figures in data-chart. It
// returns load, to bring the chart up to date, and destroy.
export function drawChart(holder) {
  if (!holder || !window.uPlot) return null;
  const step = Number(holder.dataset.step);
  let buckets = [];
  let span = [Date.parse(holder.dataset.from) / 1000, Date.parse(holder.dataset.to) / 1000];
  let plot = null;
  let gone = false;

  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;

  const load = async () => {
    const answer = await fetch(holder.dataset.chart);
    if (!answer.ok || gone) return;
    const data = await answer.json();
    if (gone) return;
    buckets = data.buckets;
    span = [Date.parse(data.from) / 1000, Date.parse(data.to) / 1000];
    const series = [buckets.map((b) => Math.max(Date.parse(b.start) / 1000, span[0])), column(buckets, "p50"), column(buckets, "p95")];
    if (plot) plot.setData(series);
    else if (buckets.some((b) => b.reports > 0)) mount(series);
  };

  const mount = (series) => {
    holder.dataset.own = "";
    holder.replaceChildren(tip);
    plot = new window.uPlot(options(holder, () => buckets, () => span, step, (u) => showTip(u, tip, buckets, step)), series, holder);
  };

  const size = new ResizeObserver(() => plot?.setSize({ width: holder.clientWidth, height: holder.clientHeight }));
  size.observe(holder);
  const recolour = () => plot?.redraw();
  addEventListener("themechange", recolour);
  const rezone = () => plot?.redraw(true, true);
  addEventListener("zonechange", rezone);

  load().catch((err) => console.info("sitemon:", err.message));
  return {
    load,
    destroy() {
      gone = true;
      size.disconnect();
      removeEventListener("themechange", recolour);
      removeEventListener("zonechange", rezone);
      plot?.destroy();
      delete holder.dataset.own;
    },
  };
}

const column = (buckets, name) => buckets.map((b) => (b.latency_us?.[name] ? b.latency_us[name] / 1000 : null));

// colour resolves a token to a colour that a canvas understands.
function colour(holder, token) {
  holder.style.setProperty("text-decoration-color", `var(${token})`);
  return getComputedStyle(holder).textDecorationColor;
}

function options(holder, buckets, span, step, onCursor) {
  const of = (token) => () => colour(holder, token);
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: of("--muted"), font, grid: { stroke: of("--grid"), width: 1 }, ticks: { show: false } };
  return {
    tzDate: (seconds) => wall(seconds * 1000),
    width: holder.clientWidth,
    height: holder.clientHeight,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
    scales: { x: { range: span }, y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 100] } },
    axes: [
      { ...axis, space: 70, size: 30, values: (_u, splits, _axis, _space, incr) => splits.map((s) => axisText(s, incr)) },
      { ...axis, size: 62, values: (_u, splits) => splits.map((ms) => (ms === 0 ? "0" : axisLatency(ms))) },
    ],
    series: [{}, { stroke: of("--p50"), width: 2 }, { stroke: of("--p95"), width: 2 }],
    hooks: { drawClear: [(u) => drawBands(u, holder, buckets(), step)], setCursor: [onCursor] },
  };
}

function axisText(seconds, incr) {
  const d = wall(seconds * 1000);
  if (incr >= 86400 || (d.getHours() === 0 && d.getMinutes() === 0)) return dayText(d);
  return clockText(d);
}

const axisLatency = (ms) => (ms >= 1000 ? `${+(ms / 1000).toFixed(2)} s` : `${+ms.toFixed(2)} ms`);

// drawBands draws the time down from the lower edge up, as high as its share of
// the step, maintenance hatched from the upper edge down, and steps of which nothing
// is known between known ones.
function drawBands(u, holder, buckets, step) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const known = buckets.map((b) => b.coverage > 0 || b.maintenance_s > 0);
  const first = known.indexOf(true);
  const last = known.lastIndexOf(true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  buckets.forEach((b, i) => {
    const start = Date.parse(b.start) / 1000;
    const x = u.valToPos(start, "x", true);
    const w = u.valToPos(start + step, "x", true) - x;
    let planned = 0;
    if (b.maintenance_s > 0) {
      const share = b.maintenance_s / (b.up_s + b.degraded_s + b.down_s + b.unknown_s + b.maintenance_s);
      planned = Math.max(height * share, 6 * devicePixelRatio);
      hatch(ctx, colour(holder, "--maintenance"), x, top, w, planned);
    }
    if (b.down_s > 0) {
      const share = b.down_s / (b.up_s + b.degraded_s + b.down_s);
      const h = Math.max(height * share, 6 * devicePixelRatio);
      ctx.globalAlpha = 0.25;
      ctx.fillStyle = colour(holder, "--down");
      ctx.fillRect(x, top + height - h, w, h);
    } else if (!(b.coverage > 0) && i > first && i < last) {
      ctx.globalAlpha = 0.12;
      ctx.fillStyle = colour(holder, "--unknown");
      ctx.fillRect(x, top + planned, w, Math.max(height - planned, 0));
    }
  });
  ctx.restore();
}

// hatch fills a rectangle with slanted lines, which go on from one to its neighbour.
function hatch(ctx, stroke, x, y, w, h) {
  const apart = 8 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, w, h);
  ctx.clip();
  ctx.globalAlpha = 0.55;
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.beginPath();
  for (let at = Math.floor(x / apart) * apart; at < x + w + h; at += apart) {
    ctx.moveTo(at, y);
    ctx.lineTo(at - h, y + h);
  }
  ctx.stroke();
  ctx.restore();
}

// showTip says what the step under the cursor is.
function showTip(u, tip, buckets, step) {
  const b = buckets[u.cursor.idx ?? -1];
  tip.hidden = !b || u.cursor.left < 0;
  if (tip.hidden) return;
  const start = wall(Date.parse(b.start));
  const end = wall(Date.parse(b.start) + step * 1000);
  const lines = [`${dayText(start)} ${clockText(start)} – ${clockText(end)}`];
  if (b.latency_us?.p95) lines.push(`p50 ${latencyText(b.latency_us.p50)} · p95 ${latencyText(b.latency_us.p95)} · p99 ${latencyText(b.latency_us.p99)}`);
  if (b.down_s > 0) lines.push(`down for ${ageText(b.down_s, true)}`);
  if (b.maintenance_s > 0) lines.push(`in maintenance for ${ageText(b.maintenance_s, true)}`);
  if (b.coverage > 0 || !b.maintenance_s) lines.push(b.coverage > 0 ? `${b.reports} reports` : "nothing known");
  tip.replaceChildren(...lines.map((text) => Object.assign(document.createElement("div"), { textContent: text })));
  const x = u.over.offsetLeft + u.cursor.left;
  const flip = x > u.width / 2;
  tip.style.transform = `translateX(${Math.round(flip ? x - tip.offsetWidth - 12 : x + 12)}px)`;
}
