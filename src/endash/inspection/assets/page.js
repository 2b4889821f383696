// The page: texts and facts, then the pictures, all of which show the layer and head that are chosen.
const THUMBS = 600000;
const side = (tokens, more) => ({ labels: tokens.map((token) => token.label), special: tokens.map((token) => token.special), ...more });
const sides = {
  source: side(look.sourceTokens, { segments: look.segments, names: look.passages.length > 1 ? look.passages : null }),
  target: side(look.targetTokens),
};
const chosen = { layer: null, head: null };
const shows = [];

function header() {
  for (const name of ["model", "source", "target"]) byId(name).textContent = look[name];
  for (const name of ["source", "target"]) byId(name).classList.toggle("long", look[name].length > 160);
  const mean = look.tokenScores.reduce((sum, score) => sum + score, 0) / T;
  const facts = [
    ["Score", `${minus(look.score, 2)} log-probability`],
    ["A token, on average", percent(Math.exp(mean))],
    ["Tokens", `${S} → ${T}`],
    ["Link", look.link],
  ];
  if (look.layers) facts.push(["Weights", `${look.layers} ${look.layers > 1 ? "layers" : "layer"} × ${look.heads} ${look.heads > 1 ? "heads" : "head"}`]);
  byId("facts").append(...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function choose(part, value) {
  chosen[part] = value;
  const table = weightsOf(chosen.layer, chosen.head);
  for (const show of shows) show(table);
}

function choices() {
  for (const [part, count] of [["layer", look.layers], ["head", look.heads]]) {
    if (count < 2) continue;
    const options = make("div", { class: "options" });
    for (const value of [null, ...Array(count).keys()]) {
      const input = make("input", { type: "radio", name: part, value: value ?? "mean" });
      input.checked = value === null;
      input.addEventListener("change", () => choose(part, value));
      options.append(make("label", {}, input, make("span", {}, value === null ? "mean" : String(value + 1))));
    }
    byId("choices").append(make("fieldset", { class: "choice" }, make("legend", { class: "label" }, part), options));
  }
}

function weights() {
  const map = new HeatMap(byId("weights-map"), {
    rows: sides.target, columns: { ...sides.source, totals: true }, tell: "reads",
    name: "Heat map of the weights: target tokens down, source tokens across",
  });
  shows.push((table) => {
    const most = table.reduce((a, b) => Math.max(a, b), 0);
    map.show((t, s) => table[t * S + s], 0, Math.max(0.1, Math.ceil(most * 10) / 10));
  });
}

// A small map of every head: a row for each layer; pressing one chooses it.
function everyHead() {
  if (look.layers * look.heads < 2 || look.layers * look.heads * S * T > THUMBS) return;
  const cell = Math.max(1, Math.min(8, Math.floor(96 / Math.max(S, T))));
  const grid = make("div", { class: "heads", style: `grid-template-columns: auto repeat(${look.heads}, auto)` }, make("span"));
  for (let head = 0; head < look.heads; head++) grid.append(make("span", { class: "across" }, `head ${head + 1}`));
  const thumbs = [];
  for (let layer = 0; layer < look.layers; layer++) {
    grid.append(make("span", {}, `layer ${layer + 1}`));
    for (let head = 0; head < look.heads; head++) thumbs.push(grid.appendChild(thumb(layer, head, cell)));
  }
  shows.push(() => {
    for (const button of thumbs) {
      const on = button.dataset.layer === String(chosen.layer) && button.dataset.head === String(chosen.head);
      button.setAttribute("aria-pressed", String(on));
    }
  });
  byId("every-head").append(make("div", { class: "scroll" }, grid));
}

function thumb(layer, head, cell) {
  const table = look.weights[layer][head];
  const xs = places(S, cell), ys = places(T, cell);
  const picture = draw("svg", { class: "cells", width: S * cell, height: T * cell, "aria-hidden": "true" },
    draw("rect", { class: "plate", width: S * cell, height: T * cell }),
    ...cellPaths((t, s) => table[t * S + s] / look.scale, xs, ys, cell, 0));
  const button = make("button", { type: "button", class: "thumb", "aria-label": `layer ${layer + 1}, head ${head + 1}` }, picture);
  Object.assign(button.dataset, { layer, head });
  button.addEventListener("click", () => {
    const again = button.getAttribute("aria-pressed") === "true";
    for (const [part, value] of [["layer", layer], ["head", head]]) {
      const input = document.querySelector(`input[name="${part}"][value="${again ? "mean" : value}"]`);
      if (input) input.checked = true;
      chosen[part] = again ? null : value;
    }
    choose("layer", chosen.layer);
  });
  return button;
}

function copies() {
  if (!look.copied) return byId("copies").remove();
  const map = new HeatMap(byId("copies-map"), {
    rows: sides.target, columns: sides.source, tell: "copies", name: "Heat map of the copies: target tokens down, source tokens across",
  });
  map.show((t, s) => look.copied[t * S + s] / look.scale, 0, 1);
}

function masks() {
  if (!look.sourceSight) return byId("masks").remove();
  for (const [id, on, seen, of] of [["source-sight-map", sides.source, look.sourceSight, "source"], ["target-sight-map", sides.target, look.targetSight, "target"]]) {
    const map = new HeatMap(byId(id), { rows: on, columns: on, tell: "sees", name: `Mask of the ${of}: positions down, the tokens they see across` });
    map.show((row, column) => seen[row * on.labels.length + column] / look.scale, 0, 1);
  }
}

function certainty() {
  const tokens = make("div", { class: "tokens", dir: "auto" });
  look.targetTokens.forEach((token, t) => {
    const score = look.tokenScores[t], chance = Math.exp(score);
    tokens.append(make("div", tokenLook(token, "sure"), make("span", { class: "word" }, token.label),
      make("i", { class: `v${level(1 - chance)}` }), make("small", {}, percent(chance)), make("small", {}, minus(score, 2))));
  });
  byId("strip").append(tokens, make("div", { class: "legend" }, "certain", make("i"), "in doubt"));
}

function similarity() {
  const at = (row, column) => look.similarity[row * S + column] / look.scale;
  const apart = [];
  for (let row = 0; row < S; row++) for (let column = 0; column < row; column++) apart.push(at(row, column));
  const low = apart.reduce((a, b) => Math.min(a, b), 1), high = apart.reduce((a, b) => Math.max(a, b), -1);
  const map = new HeatMap(byId("similarity-map"), {
    rows: sides.source, columns: sides.source, tell: "and", name: "Heat map of the similarity of each two source tokens",
  });
  map.show(at, apart.length ? low : 0, apart.length && high > low ? high : 1);
}

// A sentence wider than the paper is made to fit it.
function printing() {
  addEventListener("beforeprint", () => {
    for (const box of document.querySelectorAll(".scroll")) {
      const picture = box.firstElementChild;
      picture.style.zoom = Math.min(1, 680 / picture.scrollWidth);
    }
  });
  addEventListener("afterprint", () => { for (const box of document.querySelectorAll(".scroll")) box.firstElementChild.style.zoom = ""; });
}

header();
if (look.layers) {
  const alignment = new Alignment();
  shows.push((table) => alignment.show(table));
  choices();
  weights();
  everyHead();
  choose("layer", null);
} else {
  for (const id of ["alignment", "weights"]) byId(id).remove();
  byId("facts").after(make("p", { class: "note" }, `A link of kind ${look.link} has no weights: the decoder reads the memory once, as a whole.`));
}
copies();
masks();
certainty();
similarity();
printing();
