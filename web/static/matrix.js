// The matrix of all sites: a cell each, drawn on one canvas for each group. Colour
// and shape say the status; the list below says the same in words. No module: it
// runs where the parser meets it, so that the page is laid out once.

(() => {
const manyGroups = 40; // more are drawn as one
const tips = import("./tip.js");

class SiteMatrix extends HTMLElement {
  #text = "";
  #sites = new Map(); // name → { group, at }
  #groups = []; // { title, sites, cells, canvas }
  #statuses = [];
  #cell = 0;
  #width = 0;
  #drawing = 0;

  connectedCallback() {
    this.read();
    addEventListener("themechange", () => this.#draw());
    new ResizeObserver(() => this.#layOut()).observe(this);
  }

  // set shows another status of a site.
  set(site, status) {
    const place = this.#sites.get(site);
    const n = this.#statuses.indexOf(status);
    if (!place || n < 0 || place.group.cells[place.at] === n) return;
    place.group.cells[place.at] = n;
    place.group.dirty = true;
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw(true);
    });
  }

  // read takes what the server says anew.
  read() {
    const text = document.querySelector("[data-cells]")?.textContent ?? "";
    if (text === this.#text) return;
    this.#text = text;
    const { statuses, groups } = text ? JSON.parse(text) : { statuses: [], groups: [] };
    this.#statuses = statuses;
    this.#groups = groups.map((g) => ({ title: g.title, sites: g.sites, cells: Uint8Array.from(g.cells, Number) }));
    if (groups.length > manyGroups) {
      this.#groups = [{
        title: "", sites: this.#groups.flatMap((g) => g.sites),
        cells: Uint8Array.from(this.#groups.flatMap((g) => [...g.cells])),
      }];
    }
    this.#sites = new Map(this.#groups.flatMap((group) => group.sites.map((name, at) => [name, { group, at }])));
    this.replaceChildren(...this.#groups.map((group) => this.#figure(group)));
    this.#width = 0;
    this.#layOut();
  }

  #figure(group) {
    const figure = document.createElement("figure");
    if (this.#groups.length > 1) {
      const caption = document.createElement("figcaption");
      caption.textContent = group.title || "Without a group";
      figure.append(caption);
    }
    group.canvas = document.createElement("canvas");
    const at = (e) => {
      const box = group.canvas.getBoundingClientRect();
      const n = Math.floor((e.clientY - box.top) / this.#cell) * group.columns + Math.floor((e.clientX - box.left) / this.#cell);
      return e.clientX - box.left < group.columns * this.#cell ? n : -1;
    };
    group.canvas.addEventListener("pointermove", async (e) => {
      const n = at(e);
      const { hideTip, showTip } = await tips;
      if (group.sites[n] === undefined) hideTip();
      else showTip(e.clientX, e.clientY, group.sites[n], this.#statuses[group.cells[n]]);
    });
    group.canvas.addEventListener("pointerleave", async () => (await tips).hideTip());
    group.canvas.addEventListener("click", (e) => {
      const name = group.sites[at(e)];
      if (name !== undefined) location.assign(`/sites/${encodeURIComponent(name)}`);
    });
    figure.append(group.canvas);
    return figure;
  }

  // layOut chooses the size of a cell, and how many there are beside each other.
  #layOut() {
    const width = this.clientWidth;
    if (!width || width === this.#width) return;
    this.#width = width;
    const total = this.#sites.size;
    const room = width < 600 ? 9 : 5; // narrow pages may be longer
    this.#cell = [20, 18, 16, 14, 12, 10, 9, 8, 7].find((c) => Math.ceil(total / Math.floor(width / c)) <= room) ?? 6;
    const several = this.#groups.length > 1;
    for (const g of this.#groups) {
      const wanted = several ? Math.max(8, Math.ceil(g.sites.length / room)) : g.sites.length;
      g.columns = Math.max(1, Math.min(Math.floor(width / this.#cell), g.sites.length, wanted));
    }
    this.#draw();
  }

  #draw(changedOnly = false) {
    if (!this.#cell) return;
    const probe = document.createElement("span");
    probe.hidden = true;
    this.append(probe);
    const colours = this.#statuses.map((s) => {
      probe.className = s;
      return getComputedStyle(probe).color;
    });
    probe.remove();
    for (const g of this.#groups) {
      if (!changedOnly || g.dirty) drawGroup(g, this.#cell, colours, this.#statuses);
      g.dirty = false;
    }
  }
}

function drawGroup(group, cell, colours, statuses) {
  const rows = Math.ceil(group.sites.length / group.columns);
  const scale = devicePixelRatio || 1;
  const { canvas } = group;
  const [w, h] = [group.columns * cell, rows * cell];
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
  }
  const c = canvas.getContext("2d");
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, w, h);
  const side = cell - (cell > 9 ? 3 : 2);
  group.cells.forEach((status, i) => {
    const [x, y] = [(i % group.columns) * cell, Math.floor(i / group.columns) * cell];
    drawCell(c, x, y, side, statuses[status], colours[status]);
  });
}

// drawCell draws one site. Up is calm; what needs somebody is full, with a notch of
// another shape for each status.
function drawCell(c, x, y, side, status, colour) {
  c.fillStyle = c.strokeStyle = colour;
  c.lineWidth = 1.5;
  switch (status) {
    case "up":
      c.globalAlpha = 0.55;
      c.fillRect(x, y, side, side);
      c.globalAlpha = 1;
      return;
    case "down":
      c.fillRect(x - 0.5, y - 0.5, side + 1, side + 1);
      c.strokeStyle = "#fff";
      c.beginPath();
      c.moveTo(x + side * 0.25, y + side * 0.25);
      c.lineTo(x + side * 0.75, y + side * 0.75);
      c.moveTo(x + side * 0.75, y + side * 0.25);
      c.lineTo(x + side * 0.25, y + side * 0.75);
      c.stroke();
      return;
    case "degraded":
      c.beginPath();
      c.moveTo(x + side / 2, y);
      c.lineTo(x + side, y + side);
      c.lineTo(x, y + side);
      c.closePath();
      c.fill();
      return;
    case "maintenance":
      c.beginPath();
      c.moveTo(x + side / 2, y);
      c.lineTo(x + side, y + side / 2);
      c.lineTo(x + side / 2, y + side);
      c.lineTo(x, y + side / 2);
      c.closePath();
      c.fill();
      return;
    case "paused":
      c.fillRect(x + side * 0.15, y, side * 0.25, side);
      c.fillRect(x + side * 0.6, y, side * 0.25, side);
      return;
    default: // unknown
      c.strokeRect(x + 0.75, y + 0.75, side - 1.5, side - 1.5);
  }
}

customElements.define("site-matrix", SiteMatrix);
})();
