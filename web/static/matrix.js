// The matrix of all sites: a cell each, drawn on one canvas for each group. Colour
// and shape say the status; the list below says the same in words. No module: it
// runs where the parser meets it, so that the page is laid out once.

(() => {
const manyGroups = 40; // more are drawn as one; on a narrow page fewer
const narrow = 600; // pixels
const edge = 1; // around the cells of a group, for what is down to be seen
const gap = { x: 24, y: 12, caption: 18 }; // between groups, and above each
const calm = ["up", "paused"]; // statuses that need no reason
const tips = import("./tip.js");

class SiteMatrix extends HTMLElement {
  #text = null; // what the server said last
  #news = new Map(); // name → { n, at }: statuses that came since
  #sites = new Map(); // name → { group, at }
  #groups = []; // { title, sites, cells, canvas, columns }
  #statuses = [];
  #colours = null; // by status, then that of text, and that of marks in a full cell
  #reasons = {}; // words by reason
  #calling = new Set(); // names of the sites that call us, which have
  #beats = {}; // words of their own for some reasons
  #why = new Map(); // name → reason
  #said = document.createElement("span"); // where the keyboard is, for who can't see it
  #cursor = null; // { group, at }: where the keyboard is
  #cell = 0;
  #width = 0;
  #drawing = 0;

  connectedCallback() {
    this.#said.className = "hidden-text";
    this.#said.setAttribute("role", "status");
    this.read();
    addEventListener("themechange", () => {
      this.#colours = null;
      this.#draw();
    });
    addEventListener("scroll", () => this.#hide(), { passive: true });
    new ResizeObserver(() => this.#layOut()).observe(this);
    this.addEventListener("keydown", (e) => this.#key(e));
    this.addEventListener("focus", () => this.matches(":focus-visible") && this.#go(this.#cursor ?? this.#first()));
    this.addEventListener("blur", () => this.#hide());
  }

  // set shows another status of a site.
  set(site, status, reason) {
    const place = this.#sites.get(site);
    const n = this.#statuses.indexOf(status);
    if (!place || n < 0) return;
    this.#why.set(site, reason);
    this.#news.set(site, { n, at: performance.now() });
    if (place.group.cells[place.at] === n) return;
    place.group.cells[place.at] = n;
    place.group.dirty = true;
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw(true);
    });
  }

  // read takes what the server said when it was asked at that time of performance.now,
  // and keeps what was set since.
  read(asked = performance.now()) {
    const text = document.querySelector("[data-cells]")?.textContent ?? "";
    for (const [site, { at }] of this.#news) {
      if (at >= asked) continue;
      this.#news.delete(site);
      this.#text = null;
    }
    if (text === this.#text) return;
    this.#text = text;
    const { statuses, reasons, calling, beats, why, groups } = text ? JSON.parse(text) : { statuses: [], groups: [] };
    this.#statuses = statuses;
    this.#reasons = reasons ?? {};
    this.#calling = new Set(calling);
    this.#beats = beats ?? {};
    this.#why = new Map(Object.entries(why ?? {}));
    let fresh = groups.map((g) => ({ title: g.title, sites: g.sites, cells: Uint8Array.from(g.cells, Number) }));
    if (groups.length > (this.clientWidth < narrow ? manyGroups / 4 : manyGroups)) {
      fresh = [{
        title: "", sites: fresh.flatMap((g) => g.sites),
        cells: Uint8Array.from(fresh.flatMap((g) => [...g.cells])),
      }];
    }
    this.#colours = null;
    const sites = new Map(fresh.flatMap((group) => group.sites.map((name, at) => [name, { group, at }])));
    for (const [site, { n }] of this.#news) if (sites.has(site)) sites.get(site).group.cells[sites.get(site).at] = n;
    if (sameSites(this.#groups, fresh)) {
      this.#groups.forEach((g, i) => {
        g.dirty = g.cells.some((status, at) => status !== fresh[i].cells[at]);
        g.cells = fresh[i].cells;
      });
      this.#draw(true);
      return;
    }
    this.#groups = fresh;
    this.#sites = sites;
    this.#cursor = this.#sites.get(this.#cursor?.group.sites[this.#cursor.at]) ?? null;
    this.replaceChildren(...fresh.map((group) => this.#figure(group)), this.#said);
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
      const [column, row] = [e.clientX - box.left - edge, e.clientY - box.top - edge].map((x) => Math.max(0, Math.floor(x / this.#cell)));
      return column < group.columns ? row * group.columns + column : -1;
    };
    group.canvas.addEventListener("pointermove", (e) => {
      const n = at(e);
      if (group.sites[n] === undefined) this.#hide();
      else this.#tell(e.clientX, e.clientY, { group, at: n });
    });
    group.canvas.addEventListener("pointerleave", () => this.#hide());
    group.canvas.addEventListener("click", (e) => this.#open({ group, at: at(e) }));
    figure.append(group.canvas);
    return figure;
  }

  // #words says how the site in a cell is.
  #words({ group, at }) {
    const status = this.#statuses[group.cells[at]];
    const word = status[0].toUpperCase() + status.slice(1);
    const site = group.sites[at];
    const reason = calm.includes(status) ? "" : this.#why.get(site);
    if (!reason) return word;
    const own = this.#calling.has(site) ? this.#beats[reason] : undefined;
    return `${word}: ${own ?? this.#reasons[reason] ?? reason.replaceAll("_", " ")}`;
  }

  async #tell(x, y, cell) {
    const { showTip } = await tips;
    showTip(x, y, cell.group.sites[cell.at], this.#words(cell));
  }

  async #hide() {
    (await tips).hideTip();
  }

  #open({ group, at }) {
    const name = group.sites[at];
    if (name !== undefined) location.assign(`/sites/${encodeURIComponent(name)}`);
  }

  // #first is the cell where the keyboard begins: that of the first site among the
  // worst.
  #first() {
    const worst = Math.min(...this.#groups.map((g) => g.cells.reduce((a, b) => Math.min(a, b), this.#statuses.length)));
    const group = this.#groups.find((g) => g.cells.includes(worst));
    return group && { group, at: group.cells.indexOf(worst) };
  }

  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return;
    const here = this.#cursor ?? this.#first();
    if (!here) return;
    if (e.key === "Enter") {
      this.#open(here);
    } else if (e.key === "Escape") {
      this.#hide();
    } else {
      const there = this.#beside(here, e.key);
      if (!there) return;
      this.#go(there);
    }
    e.preventDefault();
  }

  // #beside is the cell to which a key leads.
  #beside({ group, at }, key) {
    const { length } = group.sites;
    const next = this.#groups[this.#groups.indexOf(group) + 1];
    const previous = this.#groups[this.#groups.indexOf(group) - 1];
    switch (key) {
      case "ArrowRight":
        if (at + 1 < length) return { group, at: at + 1 };
        return next ? { group: next, at: 0 } : { group, at };
      case "ArrowLeft":
        if (at > 0) return { group, at: at - 1 };
        return previous ? { group: previous, at: previous.sites.length - 1 } : { group, at };
      case "ArrowDown":
        if (at + group.columns < length) return { group, at: at + group.columns };
        return next ? { group: next, at: 0 } : { group, at };
      case "ArrowUp":
        if (at >= group.columns) return { group, at: at - group.columns };
        return previous ? { group: previous, at: previous.sites.length - 1 } : { group, at };
      case "Home":
        return { group: this.#groups[0], at: 0 };
      case "End":
        return { group: this.#groups.at(-1), at: this.#groups.at(-1).sites.length - 1 };
    }
    return null;
  }

  // #go moves the keyboard to a cell.
  #go(cell) {
    if (!cell) return;
    const { group, at } = cell;
    if (this.#cursor) this.#cursor.group.dirty = true;
    group.dirty = true;
    this.#cursor = cell;
    this.#draw(true);
    const box = group.canvas.getBoundingClientRect();
    const [x, y] = [(at % group.columns) * this.#cell, Math.floor(at / group.columns) * this.#cell];
    this.#tell(box.left + edge + x, box.top + edge + y, cell);
    this.#said.textContent = [group.sites[at], this.#words(cell)].join(", ");
  }

  // #layOut chooses the size of a cell, the largest with which the whole is not too high,
  // and how many there are beside each other.
  #layOut() {
    const width = this.clientWidth;
    if (!width || width === this.#width) return;
    this.#width = width;
    const room = width < narrow ? 280 : 200;
    this.#cell = [20, 18, 16, 14, 12, 10, 9, 8, 7, 6, 5].find((cell) => this.#height(cell, width) <= room) ?? 4;
    for (const g of this.#groups) g.columns = this.#columns(g, this.#cell, width);
    this.#draw();
  }

  // #columns is how many cells of a group are beside each other. Groups are about as high
  // as each other, and a single one is as wide as the page.
  #columns({ sites }, cell, width) {
    const wanted = this.#groups.length > 1 ? Math.max(8, Math.ceil(sites.length / (width < narrow ? 9 : 5))) : sites.length;
    return Math.max(1, Math.min(Math.floor(width / cell), sites.length, wanted));
  }

  // #height is how high the groups are in their lines, with cells of that size.
  #height(cell, width) {
    const several = this.#groups.length > 1;
    let [height, line, left] = [0, 0, 0];
    for (const g of this.#groups) {
      const columns = this.#columns(g, cell, width);
      const wide = Math.max(columns * cell, several ? 7 * (g.title || "Without a group").length : 0);
      if (left > 0 && left + gap.x + wide > width) [height, line, left] = [height + line + gap.y, 0, 0];
      left += (left > 0 ? gap.x : 0) + wide;
      line = Math.max(line, Math.ceil(g.sites.length / columns) * cell + (several ? gap.caption : 0));
    }
    return height + line;
  }

  #draw(changedOnly = false) {
    if (!this.#cell) return;
    this.#colours ??= this.#readColours();
    for (const g of this.#groups) {
      if (changedOnly && !g.dirty) continue;
      g.dirty = false;
      drawGroup(g, this.#cell, this.#colours, this.#statuses);
      if (this.#cursor?.group === g) drawCursor(g, this.#cursor.at, this.#cell, this.#colours.at(-2));
    }
  }

  // #readColours reads the theme's colours of the statuses, of text and of marks.
  #readColours() {
    const probe = document.createElement("span");
    probe.hidden = true;
    this.append(probe);
    const colours = [...this.#statuses, "", "mark"].map((name) => {
      probe.className = name;
      return getComputedStyle(probe).color;
    });
    probe.remove();
    return colours;
  }
}

function sameSites(some, others) {
  return some.length === others.length && some.every((g, i) => {
    const other = others[i];
    return g.title === other.title && g.sites.length === other.sites.length && g.sites.every((name, at) => name === other.sites[at]);
  });
}

// sideOf is how large what is drawn in a cell is.
const sideOf = (cell) => cell - (cell > 9 ? 3 : cell > 5 ? 2 : 1);

function drawCursor(group, at, cell, colour) {
  const c = group.canvas.getContext("2d");
  const side = sideOf(cell);
  c.strokeStyle = colour;
  c.lineWidth = 2;
  c.strokeRect((at % group.columns) * cell, Math.floor(at / group.columns) * cell, side, side);
}

function drawGroup(group, cell, colours, statuses) {
  const rows = Math.ceil(group.sites.length / group.columns);
  const scale = devicePixelRatio || 1;
  const { canvas } = group;
  const [w, h] = [group.columns * cell + 2 * edge, rows * cell + 2 * edge];
  if (canvas.width !== Math.round(w * scale) || canvas.height !== Math.round(h * scale)) {
    canvas.width = Math.round(w * scale);
    canvas.height = Math.round(h * scale);
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
  }
  const c = canvas.getContext("2d");
  c.setTransform(scale, 0, 0, scale, edge * scale, edge * scale);
  c.clearRect(-edge, -edge, w, h);
  const side = sideOf(cell);
  group.cells.forEach((status, i) => {
    const [x, y] = [(i % group.columns) * cell, Math.floor(i / group.columns) * cell];
    drawCell(c, x, y, side, statuses[status], colours[status], colours.at(-1));
  });
}

// drawCell draws one site. Up is calm; what needs somebody is full, with another shape
// for each status. Where shapes have no room they are full squares, and that of down has
// no gaps.
function drawCell(c, x, y, side, status, colour, mark) {
  c.fillStyle = c.strokeStyle = colour;
  c.lineWidth = 1.5;
  switch (status) {
    case "up":
      c.globalAlpha = 0.55;
      c.fillRect(x, y, side, side);
      c.globalAlpha = 1;
      return;
    case "down":
      c.fillRect(x - edge, y - edge, side + 2 * edge, side + 2 * edge);
      if (side < 6) return;
      c.strokeStyle = mark;
      c.lineWidth = side < 10 ? 1.5 : 2;
      c.beginPath();
      c.moveTo(x + side * 0.2, y + side * 0.2);
      c.lineTo(x + side * 0.8, y + side * 0.8);
      c.moveTo(x + side * 0.8, y + side * 0.2);
      c.lineTo(x + side * 0.2, y + side * 0.8);
      c.stroke();
      return;
    case "degraded":
      if (side < 4) {
        c.fillRect(x, y, side, side);
        return;
      }
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
