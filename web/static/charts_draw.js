// What the charts of a site have on their canvases beside lines: bands, columns, cells
// and marks. All of it is drawn by the server too, in pages_chart*.go.

export const phases = ["resolve", "connect", "tls", "processing", "transfer"];

// colour resolves a token to a colour that a canvas understands.
export function colour(holder, token) {
  holder.style.setProperty("text-decoration-color", token.startsWith("--") ? `var(${token})` : token);
  return getComputedStyle(holder).textDecorationColor;
}

// bucketEnds are where the buckets of a window end, in seconds.
export const bucketEnds = (buckets, span) => buckets.map((_, i) => (i + 1 < buckets.length ? Date.parse(buckets[i + 1].start) / 1000 : span[1]));

// columns calls draw for each bucket, with where it is on the canvas.
function columns(u, { buckets, ends, span }, draw) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  buckets.forEach((b, i) => {
    const x = u.valToPos(Math.max(Date.parse(b.start) / 1000, span[0]), "x", true);
    draw(ctx, b, x, u.valToPos(ends[i], "x", true) - x, i);
  });
  ctx.restore();
}

// drawBands draws the time down from the lower edge up, as high as its share of
// the step, maintenance hatched from the upper edge down, and steps of which nothing
// is known between known ones.
export function drawBands(u, holder, shown) {
  const { top, height } = u.bbox;
  const known = shown.buckets.map((b) => b.coverage > 0 || b.maintenance_s > 0);
  const first = known.indexOf(true);
  const last = known.lastIndexOf(true);
  const [down, unknown, maintenance] = ["--down", "--unknown", "--maintenance"].map((token) => colour(holder, token));
  columns(u, shown, (ctx, b, x, w, i) => {
    let planned = 0;
    ctx.globalAlpha = 1;
    if (b.maintenance_s > 0) {
      const share = b.maintenance_s / (b.up_s + b.degraded_s + b.down_s + b.unknown_s + b.maintenance_s);
      planned = Math.max(height * share, 6 * devicePixelRatio);
      hatch(ctx, maintenance, x, top, w, planned);
    }
    if (b.down_s > 0) {
      const share = b.down_s / (b.up_s + b.degraded_s + b.down_s);
      const h = Math.max(height * share, 6 * devicePixelRatio);
      ctx.globalAlpha = 0.25;
      ctx.fillStyle = down;
      ctx.fillRect(x, top + height - h, w, h);
    } else if (!(b.coverage > 0) && i > first && i < last) {
      ctx.globalAlpha = 0.12;
      ctx.fillStyle = unknown;
      ctx.fillRect(x, top + planned, w, Math.max(height - planned, 0));
    }
  });
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

// drawColumns draws the means of the phases, one upon the other.
export function drawColumns(u, holder, shown) {
  const colours = phases.map((p) => colour(holder, `--phase-${p}`));
  columns(u, shown, (ctx, b, x, w) => {
    if (!b.latency_us) return;
    const gap = w > 5 * devicePixelRatio ? devicePixelRatio : 0;
    let sum = 0;
    phases.forEach((p, i) => {
      const from = u.valToPos(sum, "y", true);
      sum += b.latency_us.phases[p] / 1000;
      const to = u.valToPos(sum, "y", true);
      ctx.fillStyle = colours[i];
      ctx.fillRect(x, to, Math.max(w - gap, 1), from - to);
    });
  });
}

const quarters = [0, 0, 1, 1, 2, 2, 2, 3, 3, 3]; // of the tenths of an octave
const tenths = [10, 12, 14, 17]; // where the quarters begin
const shares = [0.02, 0.1, 0.25, 0.5, 1]; // up to which the levels go
const rowsAtMost = 32;

function heatRow(us, shift) {
  let octave = Math.floor(Math.log2(Math.max(us, 1)));
  if (2 ** octave > us) octave = Math.max(octave - 1, 0);
  return (octave * 4 + quarters[Math.floor(((Math.max(us, 1) - 2 ** octave) * 10) / 2 ** octave)]) >> shift;
}

// heatPosition is where a latency is on the scale of rows.
export const heatPosition = (us, shift) => (Math.log2(us) * 4) / 2 ** shift;

// heatOf sorts the histograms of buckets into rows of latency; null where there are none.
export function heatOf(buckets) {
  const least = buckets.flatMap((b) => b.latency_us?.histogram?.map(([us]) => Math.max(us, 1)) ?? []);
  if (least.length === 0) return null;
  const [min, max] = least.reduce(([a, b], us) => [Math.min(a, us), Math.max(b, us)], [Infinity, 0]);
  let shift = 0;
  while (shift < 2 && heatRow(max, shift) - heatRow(min, shift) >= rowsAtMost) shift++;
  const counts = buckets.map((b) => {
    const rows = new Map();
    for (const [us, n] of b.latency_us?.histogram ?? []) rows.set(heatRow(us, shift), (rows.get(heatRow(us, shift)) ?? 0) + n);
    return rows;
  });
  const totals = counts.map((rows) => [...rows.values()].reduce((a, b) => a + b, 0));
  const from = (row) => (tenths[(row << shift) % 4] * 2 ** Math.floor((row << shift) / 4)) / 10;
  return { shift, counts, totals, from, low: heatRow(min, shift), high: heatRow(max, shift) };
}

// heatLevel is which colour a cell has, from 1 to 5.
export const heatLevel = (count, total) => 1 + shares.findIndex((most) => count <= most * total);

// drawHeat draws a cell for each row of each step, the darker the more answers are in it.
export function drawHeat(u, holder, shown) {
  const { heat } = shown;
  const probe = document.createElement("span");
  probe.hidden = true;
  holder.append(probe);
  const colours = shares.map((_, i) => {
    probe.className = `heat-${i + 1}`;
    return getComputedStyle(probe).backgroundColor;
  });
  probe.remove();
  const gap = devicePixelRatio / 2;
  columns(u, shown, (ctx, _b, x, w, i) => {
    for (const [row, count] of heat.counts[i]) {
      const y = u.valToPos(row + 1, "y", true);
      ctx.fillStyle = colours[heatLevel(count, heat.totals[i]) - 1];
      ctx.fillRect(x, y, Math.max(w - gap, 1), u.valToPos(row, "y", true) - y - gap);
    }
  });
}

// drawMarks draws incidents as long as they are at the upper edge, and moments as lines.
export function drawMarks(u, holder, { marks, span }) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top - 4 * devicePixelRatio, width, height + 4 * devicePixelRatio);
  ctx.clip();
  for (const m of marks) {
    const at = Date.parse(m.at) / 1000;
    const until = m.until ? Date.parse(m.until) / 1000 : at;
    if (until < span[0] || at > span[1]) continue;
    const x = u.valToPos(Math.max(at, span[0]), "x", true);
    if (m.until) {
      ctx.fillStyle = colour(holder, "--down");
      ctx.fillRect(x, top - 4 * devicePixelRatio, Math.max(u.valToPos(Math.min(until, span[1]), "x", true) - x, 3 * devicePixelRatio), 5 * devicePixelRatio);
      continue;
    }
    ctx.strokeStyle = colour(holder, "--accent");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
  }
  ctx.restore();
}
