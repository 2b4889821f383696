// The alignment: the source above the target, joined passages below it, and a curve for each weight that counts.
const SHOWN = 0.08, KEPT = 0.01, CURVES = 8;

class Alignment {
  constructor() {
    this.weave = byId("weave");
    this.held = null;
    this.target = look.targetTokens.map((token, t) => this.token("target", token, t));
    this.source = look.sourceTokens.map((token, s) => this.token("source", token, s));
    this.lay();
    this.listen();
  }

  token(side, token, index) {
    const attributes = { type: "button", tabindex: index ? -1 : 0, "aria-pressed": false, title: token.token, ...tokenLook(token, "token") };
    const button = make("button", attributes, token.label);
    Object.assign(button.dataset, { side, index });
    return button;
  }

  lay() {
    byId("row-target").append(make("div", { class: "part" }, this.block("Target tokens", this.target)));
    look.passages.forEach((name, segment) => {
      const tokens = this.source.filter((_, s) => look.segments[s] === segment);
      if (!tokens.length) return;
      const joined = look.passages.length > 1;
      const label = make("div", { class: "label" }, make("span", { dir: "auto" }, name));
      if (look.layers) label.append(make("b", {}, `${percent(look.shares[segment])} of the weight`));
      const part = make("div", { class: joined ? "part framed" : "part" }, ...(joined ? [label] : []), this.block(name, tokens));
      byId(segment ? "row-passages" : "row-source").append(part);
      tokens[0].tabIndex = 0;
    });
  }

  block(name, tokens) {
    const gap = (button) => make("span", { class: button.classList.contains("start") ? "gap word" : "gap" });
    const spaced = tokens.flatMap((button, i) => (i ? [gap(button), button] : [button]));
    return make("div", { class: "tokens", dir: "auto", role: "group", "aria-label": name }, ...spaced);
  }

  show(weights) {
    this.weights = weights;
    this.redraw();
  }

  redraw() {
    this.weave.classList.toggle("wide", this.weave.scrollWidth > this.weave.parentElement.clientWidth);
    const origin = this.weave.getBoundingClientRect().left;
    const centre = (button) => { const box = button.getBoundingClientRect(); return (box.left + box.right) / 2 - origin; };
    const x = { source: this.source.map(centre), target: this.target.map(centre) };
    const height = byId("lines-source").getBoundingClientRect().height || 136;
    const curves = { above: [], below: [] };
    this.curves = [];
    for (let t = 0; t < T; t++) {
      for (const [s, weight] of this.strongest(t)) {
        const below = look.segments[s] > 0;
        const [from, to] = below ? [x.target[t], x.source[s]] : [x.source[s], x.target[t]];
        const path = draw("path", {
          d: `M${from.toFixed(1)} 4C${from.toFixed(1)} ${height * 0.5},${to.toFixed(1)} ${height * 0.5},${to.toFixed(1)} ${height - 4}`,
          "stroke-width": (0.75 + 9 * weight).toFixed(2),
          "stroke-opacity": (0.18 + 0.72 * Math.min(1, weight * 1.4)).toFixed(2),
          class: weight < SHOWN ? "faint" : null,
        });
        curves[below ? "below" : "above"].push(path);
        this.curves.push({ t, s, path });
      }
    }
    byId("lines-source").replaceChildren(...curves.above);
    byId("lines-passages").replaceChildren(...curves.below);
    this.light(this.lit ?? null);
  }

  strongest(t) {
    const row = Array.from(this.weights.subarray(t * S, (t + 1) * S), (weight, s) => [s, weight]);
    return row.filter(([, weight]) => weight >= KEPT).sort((a, b) => b[1] - a[1]).slice(0, CURVES);
  }

  // Light up one token and what it is connected with; null puts all lights out.
  light(button) {
    this.lit = button;
    this.weave.classList.toggle("lit", button !== null);
    for (const token of [...this.source, ...this.target]) token.classList.remove("on", "near");
    for (const curve of this.curves) curve.path.classList.remove("hot");
    byId("alignment-read").replaceChildren();
    if (button === null) return;
    button.classList.add("on");
    const side = button.dataset.side, index = Number(button.dataset.index);
    const [own, others] = side === "target" ? ["t", this.source] : ["s", this.target];
    for (const curve of this.curves) curve.path.classList.toggle("hot", curve[own] === index);
    const found = others.map((other, i) => [other, side === "target" ? this.weights[index * S + i] : this.weights[i * S + index]]);
    for (const [other, weight] of found) {
      if (weight < KEPT) continue;
      other.classList.add("near");
      other.style.setProperty("--w", Math.min(1, 0.15 + weight).toFixed(3));
    }
    this.tell(button, side, found.filter(([, weight]) => weight >= KEPT).sort((a, b) => b[1] - a[1]).slice(0, 5));
  }

  tell(button, side, found) {
    const parts = [make("b", { class: "hot" }, make("bdi", {}, button.textContent)), side === "target" ? " read " : " was read by "];
    if (!found.length) parts.push("nothing in particular");
    found.forEach(([other, weight], i) => {
      parts.push(i ? ", " : "", make("b", {}, make("bdi", {}, other.textContent)), ` ${percent(weight)}`);
    });
    byId("alignment-read").append(...parts);
  }

  hold(button) {
    this.held = this.held === button ? null : button;
    for (const token of [...this.source, ...this.target]) token.setAttribute("aria-pressed", String(token === this.held));
    this.light(this.held);
  }

  listen() {
    const tokenOf = (event) => event.target.closest(".token");
    this.weave.addEventListener("pointerover", (event) => { if (tokenOf(event)) this.light(tokenOf(event)); });
    this.weave.addEventListener("pointerout", (event) => { if (tokenOf(event)) this.light(this.held); });
    this.weave.addEventListener("focusin", (event) => { if (tokenOf(event)) this.light(tokenOf(event)); });
    this.weave.addEventListener("focusout", () => this.light(this.held));
    this.weave.addEventListener("click", (event) => { if (tokenOf(event)) this.hold(tokenOf(event)); });
    this.weave.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.redraw()).observe(this.weave);
  }

  // Left and right follow what is seen, in text that runs to the left too; up and down change the row.
  key(event) {
    const button = event.target.closest(".token");
    if (event.key === "Escape" && this.held) this.hold(this.held);
    if (!button || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const block = button.closest(".tokens");
    let next;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const onward = (event.key === "ArrowRight") === (getComputedStyle(block).direction === "ltr");
      const tokens = [...block.querySelectorAll(".token")];
      next = tokens[tokens.indexOf(button) + (onward ? 1 : -1)];
    } else {
      const blocks = [...this.weave.querySelectorAll(".tokens")];
      const other = blocks[blocks.indexOf(block) + (event.key === "ArrowDown" ? 1 : -1)];
      next = other?.querySelector('.token[tabindex="0"]');
    }
    if (!next) return;
    for (const token of next.parentElement.querySelectorAll(".token")) token.tabIndex = token === next ? 0 : -1;
    next.focus();
  }
}
