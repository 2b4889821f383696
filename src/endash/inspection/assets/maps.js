// Heat maps: cells of one colour are one path, so that a map of 256 × 256 draws at once.
const GAP = 10;

// The place of each row or column: parts of the memory stand apart.
function places(count, cell, segments) {
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    if (i && segments && segments[i] !== segments[i - 1]) at += GAP;
    at += cell;
    return at - cell;
  });
}

function cellPaths(value, xs, ys, cell, inset) {
  const paths = Array.from({ length: look.levels }, () => "");
  const size = cell - inset;
  ys.forEach((y, row) => xs.forEach((x, column) => {
    const step = level(value(row, column));
    if (step) paths[step] += `M${x} ${y}h${size}v${size}h${-size}z`;
  }));
  return paths.flatMap((d, step) => (d ? [draw("path", { d, class: `v${step}` })] : []));
}

const LONGEST = 150;
const ruler = make("canvas").getContext("2d");
ruler.font = `13px ${getComputedStyle(document.body).fontFamily}`;
const textWidth = (text) => Math.ceil(ruler.measureText(text).width);

// The label, or as much of it as fits into `most` pixels.
function clip(label, most = LONGEST) {
  if (textWidth(label) <= most) return label;
  const characters = Array.from(label);
  while (characters.length && textWidth(`${characters.join("")}…`) > most) characters.pop();
  return `${characters.join("")}…`;
}

// The stretches of one part of the memory each: where it starts and how many it has.
function runs({ labels, segments }) {
  const starts = labels.map((_, i) => i).filter((i) => !i || (segments && segments[i] !== segments[i - 1]));
  return starts.map((start, i) => [start, (starts[i + 1] ?? labels.length) - start]);
}

// A map of rows × columns with labels, a cursor that follows pointer and arrow keys, and a line that tells the value.
class HeatMap {
  constructor(host, { rows, columns, name, tell }) {
    Object.assign(this, { rows, columns, tell });
    this.cell = Math.max(12, Math.min(30, Math.floor(760 / Math.max(columns.labels.length, rows.labels.length))));
    this.xs = places(columns.labels.length, this.cell, columns.segments);
    this.ys = places(rows.labels.length, this.cell, rows.segments);
    this.width = this.xs.at(-1) + this.cell;
    this.height = this.ys.at(-1) + this.cell;
    const longest = (labels) => Math.min(LONGEST, Math.max(...labels.map(textWidth)));
    this.left = longest(rows.labels) + 14;
    const slant = longest(columns.labels);
    this.upright = this.cell < 20;
    this.top = Math.ceil(slant * (this.upright ? 1 : 0.77)) + 18;
    this.cells = draw("g", { class: "cells" });
    this.bars = draw("g", { class: "bars" });
    this.cursor = draw("rect", { class: "cursor", width: this.cell, height: this.cell, rx: 2, visibility: "hidden" });
    this.read = make("output", { class: "read", "aria-live": "polite" });
    this.legend = make("div", { class: "legend" });
    this.build(host, name, slant);
  }

  build(host, name, slant) {
    const bottom = (this.columns.totals ? 48 : 4) + (this.columns.names ? 24 : 0);
    const size = [this.left + this.width + (this.upright ? 0 : Math.ceil(slant * 0.64)) + 8, this.top + this.height + bottom];
    this.svg = draw("svg", { width: size[0], height: size[1], viewBox: `0 0 ${size[0]} ${size[1]}`, role: "img", tabindex: 0, "aria-label": name });
    const inner = draw("g", { transform: `translate(${this.left} ${this.top})` }, ...this.plates(), this.cells, this.bars, this.cursor);
    this.rowTexts = this.rows.labels.map((label, i) => draw("text", {
      x: -8, y: this.ys[i] + this.cell / 2, "text-anchor": "end", "dominant-baseline": "central", class: this.rows.special[i] ? "special" : null,
    }, clip(label)));
    this.columnTexts = this.columns.labels.map((label, i) => draw("text", {
      transform: `translate(${this.xs[i] + this.cell / 2} -8) rotate(${this.upright ? -90 : -50})`, "dominant-baseline": "central", class: this.columns.special[i] ? "special" : null,
    }, clip(label)));
    inner.append(...this.rowTexts, ...this.columnTexts, ...this.partNames(bottom));
    this.svg.append(inner);
    host.classList.add("map");
    host.classList.toggle("small", this.upright);
    host.append(make("div", { class: "scroll" }, this.svg), this.legend, this.read);
    this.listen();
  }

  plates() {
    return runs(this.rows).flatMap(([y, tall]) => runs(this.columns).map(([x, wide]) =>
      draw("rect", { class: "plate", x: this.xs[x], y: this.ys[y], width: wide * this.cell, height: tall * this.cell })));
  }

  partNames(bottom) {
    if (!this.columns.names) return [];
    return runs(this.columns).map(([start, count]) => draw("text", { class: "label", x: this.xs[start], y: this.height + bottom - 8 },
      clip(this.columns.names[this.columns.segments[start]], count * this.cell)));
  }

  // Colour the cells: `value(row, column)` from `low` to `high` of the scale.
  show(value, low, high) {
    this.value = value;
    this.cells.replaceChildren(...cellPaths((r, c) => (value(r, c) - low) / (high - low || 1), this.xs, this.ys, this.cell, this.cell > 8 ? 1 : 0));
    this.legend.replaceChildren(minus(low, 2), make("i"), minus(high, 2));
    if (this.columns.totals) this.showTotals();
    if (this.at) this.move(...this.at);
  }

  showTotals() {
    const totals = this.xs.map((_, c) => this.ys.reduce((sum, _, r) => sum + this.value(r, c), 0));
    const most = Math.max(...totals, 1e-9);
    this.bars.replaceChildren(...totals.map((total, c) => {
      const tall = (total / most) * 34;
      return draw("rect", { x: this.xs[c] + 1, y: this.height + 8, width: this.cell - 2, height: tall.toFixed(1), rx: 1 },
        draw("title", {}, `${this.columns.labels[c]}: ${total.toFixed(2)} in all`));
    }));
  }

  move(row, column) {
    this.at = [row, column];
    this.cursor.setAttribute("x", this.xs[column] - 0.5);
    this.cursor.setAttribute("y", this.ys[row] - 0.5);
    this.cursor.setAttribute("visibility", "visible");
    this.rowTexts.forEach((text, i) => text.classList.toggle("on", i === row));
    this.columnTexts.forEach((text, i) => text.classList.toggle("on", i === column));
    const name = (side, i) => make("b", {}, make("bdi", {}, side.labels[i]));
    this.read.replaceChildren(name(this.rows, row), ` ${this.tell} `, name(this.columns, column), ` ${minus(this.value(row, column), 3)}`);
  }

  leave() {
    this.at = null;
    this.cursor.setAttribute("visibility", "hidden");
    for (const text of [...this.rowTexts, ...this.columnTexts]) text.classList.remove("on");
    this.read.replaceChildren();
  }

  listen() {
    const find = (at, cell, point) => at.findIndex((start) => point >= start && point < start + cell);
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      const column = find(this.xs, this.cell, event.clientX - box.left - this.left);
      const row = find(this.ys, this.cell, event.clientY - box.top - this.top);
      if (row >= 0 && column >= 0) this.move(row, column); else this.leave();
    });
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("blur", () => this.leave());
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      const [row, column] = this.at ?? [-step[0], -step[1]];
      this.move(Math.max(0, Math.min(this.ys.length - 1, row + step[0])), Math.max(0, Math.min(this.xs.length - 1, column + step[1])));
    });
  }
}
