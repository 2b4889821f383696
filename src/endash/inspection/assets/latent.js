// A point for each text, and a bar for each dimension. Text is only ever set as text, never as markup.
const look = JSON.parse(document.getElementById("look").textContent);
const byId = (id) => document.getElementById(id);
const WIDE = 900, HIGH = 560, EDGE = 24, NEAR = 5;

function draw(tag, attributes, parent, text = "") {
  const element = document.createElementNS(byId("space").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  parent.append(element);
  return element;
}

// From the two components to the picture, one scale for both so that distances stay true.
const columns = [0, 1].map((axis) => look.places.map((place) => place[axis]));
const low = columns.map((column) => column.reduce((a, b) => Math.min(a, b)));
const high = columns.map((column) => column.reduce((a, b) => Math.max(a, b)));
const unit = Math.min((WIDE - 2 * EDGE) / (high[0] - low[0] || 1), (HIGH - 2 * EDGE) / (high[1] - low[1] || 1));
const middle = [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
const spots = look.places.map(([x, y]) => [WIDE / 2 + (x - middle[0]) * unit, HIGH / 2 - (y - middle[1]) * unit]);

const space = byId("space");
space.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
const points = spots.map(([x, y]) => draw("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 3.5 }, space));

function nearest(x, y, count) {
  const distance = spots.map(([a, b]) => (a - x) ** 2 + (b - y) ** 2);
  return [...distance.keys()].sort((a, b) => distance[a] - distance[b]).slice(0, count);
}

let held = -1;
function hold(text) {
  if (text === held) return;
  held = text;
  const near = nearest(...spots[text], NEAR + 1).filter((other) => other !== text).slice(0, NEAR);
  points.forEach((point, n) => point.setAttribute("class", n === text ? "on" : near.includes(n) ? "near" : ""));
  byId("read").textContent = look.texts[text];
  byId("near").replaceChildren(...near.map((n) => {
    const item = document.createElement("li");
    item.textContent = look.texts[n];
    return item;
  }));
}
space.addEventListener("pointermove", (event) => {
  const box = space.getBoundingClientRect();
  hold(nearest((event.clientX - box.left) / box.width * WIDE, (event.clientY - box.top) / box.height * HIGH, 1)[0]);
});
// An arrow goes to the nearest text on that side.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
space.addEventListener("keydown", (event) => {
  const way = ARROWS[event.key];
  if (!way) return;
  event.preventDefault();
  const ahead = nearest(...spots[held], spots.length).find((n) => {
    const [dx, dy] = [spots[n][0] - spots[held][0], spots[n][1] - spots[held][1]];
    const along = dx * way[0] + dy * way[1];
    return along > 0 && along >= Math.abs(dx * way[1] + dy * way[0]);
  });
  if (ahead !== undefined) hold(ahead);
});
hold(nearest(WIDE / 2, HIGH / 2, 1)[0]);

const bars = byId("dimensions"), most = Math.max(...look.kl, 1e-9), order = [...look.kl.keys()].sort((a, b) => look.kl[b] - look.kl[a]);
const step = Math.min(40, WIDE / order.length);
bars.setAttribute("viewBox", `0 0 ${WIDE} 150`);
order.forEach((dimension, place) => {
  const tall = 120 * look.kl[dimension] / most;
  const bar = { x: place * step, y: 140 - tall, width: step * 0.8, height: Math.max(tall, 1), class: look.active[dimension] ? "" : "idle" };
  draw("title", {}, draw("rect", bar, bars), `dimension ${dimension}: ${look.kl[dimension].toFixed(2)} nats`);
});
draw("text", { x: 0, y: 12 }, bars, `${most.toFixed(2)} nats`);
