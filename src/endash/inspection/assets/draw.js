// What every picture needs: the data, elements made of text only, the colour scale, and tables of numbers.
const look = JSON.parse(document.getElementById("look").textContent);
const S = look.sourceTokens.length, T = look.targetTokens.length;
const SVG = document.querySelector("svg").namespaceURI;
const byId = (id) => document.getElementById(id);
const percent = (share) => (share > 0 && share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`);
const minus = (number, digits) => number.toFixed(digits).replace("-", "−");

// An element with attributes and children; a string becomes text, never markup.
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// The step of the colour scale for a share of the scale's length.
function level(share) {
  return Math.max(0, Math.min(look.levels - 1, Math.round(share * (look.levels - 1))));
}

// A token's attributes: special ones, such as the end of the sentence, are set back and run left to right in any text.
function tokenLook(token, name) {
  return { class: `${name}${token.start ? " start" : ""}${token.special ? " special" : ""}`, dir: token.special ? "ltr" : null };
}

// The weights (T × S) of a layer and a head, each of which may be null: then the mean over all.
function weightsOf(layer, head) {
  const mean = new Float64Array(T * S);
  const layers = layer === null ? look.weights : [look.weights[layer]];
  for (const heads of layers) {
    const chosen = head === null ? heads : [heads[head]];
    const unit = 1 / (look.scale * layers.length * chosen.length);
    for (const table of chosen) for (let i = 0; i < mean.length; i++) mean[i] += table[i] * unit;
  }
  return mean;
}
