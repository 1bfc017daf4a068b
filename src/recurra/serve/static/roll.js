// A text with a column a step: its symbols, what was said of each, and the hidden state beneath.

import { diverging, gradient, sequential } from "./colours.js";
import { el } from "./dom.js";
import { HeatMap } from "./heatmap.js";
import { short, shown } from "./numbers.js";

const STRIP_ROW = 16; // CSS pixels
const STATE_HEIGHT = 256;
const FULL = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]; // ends of the scale: seldom changed
const HINT = "Point at a cell, or move through them with the arrow keys.";

/** Columns that grow to the right. */
export class Roll {
  #steps = [];
  #most = 1;

  /** `onpoint(step)` is called with the step under the cursor, null without. */
  constructor({ cutting, saying, onpoint }) {
    this.cutting = cutting;
    this.saying = saying;
    this.onpoint = onpoint;
    this.layer = 0;
    this.name = null;
    this.symbols = el("div", { class: "symbols", "aria-hidden": "true" });
    this.strip = new HeatMap({
      label: "Probability of each class after each step",
      onpoint: (row, column) => this.#point("strip", row, column),
    });
    this.state = new HeatMap({
      label: "Hidden state after each step",
      onpoint: (row, column) => this.#point("state", row, column),
    });
    this.names = el("div", { class: "strip-names", "aria-hidden": "true" }, ...saying.strip.map((name) => el("span", { dir: "auto", title: name }, name)));
    this.scale = el("span", { class: "scale" });
    this.low = el("span", { class: "number" });
    this.high = el("span", { class: "number" });
    this.readout = el("p", { class: "readout", role: "status" }, HINT);
    const tall = el("div", { class: "tall" }, this.state.node);
    this.empty = el("p", { class: "hint" }, "Each step adds a column here.");
    this.scroller = el("div", { class: "columns" }, el("div", { class: "sheet" }, this.empty, this.symbols, saying.strip.length ? this.strip.node : null, tall));
    this.node = el(
      "div",
      { class: `roll${saying.strip.length ? " stripped" : ""}` },
      el("div", { class: "frame" }, saying.strip.length ? this.names : null, this.scroller),
      el("div", { class: "legend" }, this.low, this.scale, this.high, el("span", { class: "muted" }, "value of a feature")),
      this.readout,
    );
    this.show([]);
  }

  /** Show steps {piece, answer, state}, and the newest at the right edge. */
  show(steps) {
    this.empty.hidden = steps.length > 0;
    this.symbols.hidden = !steps.length;
    const grown = steps.length > this.#steps.length;
    this.#steps = [...steps];
    const longest = Math.max(1, ...steps.map((step) => Math.max(step.piece.length, (this.saying.tag(step.answer) ?? "").length)));
    const width = this.cutting.width(Math.min(longest, 20));
    this.node.style.setProperty("--column-width", `${width}px`);
    this.symbols.replaceChildren(...steps.map((step) => this.#heading(step)));
    this.strip.draw(this.saying.strip.length, steps.length, [width, STRIP_ROW], (row, column) => sequential(this.saying.strengths(this.#steps[column].answer)[row]));
    this.#drawState(width);
    if (grown) this.scroller.scrollLeft = this.scroller.scrollWidth;
  }

  /** Show another state, by name, or another layer. */
  choose(name, layer) {
    this.name = name;
    this.layer = layer;
    this.show(this.#steps);
  }

  #features(step) {
    return step?.state[this.name]?.[this.layer] ?? [];
  }

  #drawState(width) {
    const size = this.#features(this.#steps[0]).length;
    const height = Math.max(1, Math.min(12, Math.floor((2 * STATE_HEIGHT) / Math.max(1, size)) / 2));
    const most = Math.max(...this.#steps.map((step) => this.#features(step).reduce((most, v) => Math.max(most, Math.abs(v)), 0)));
    this.#most = this.#steps.length ? (FULL.find((end) => end >= most * 0.999) ?? most) : 1;
    this.state.draw(size, this.#steps.length, [width, height], (row, column) => diverging(this.#features(this.#steps[column])[row] / this.#most));
    this.low.textContent = short(-this.#most, 2);
    this.high.textContent = short(this.#most, 2);
    this.paint();
  }

  /** Draw the legend in the theme's colours. */
  paint() {
    this.scale.style.setProperty("background", gradient(diverging, -1));
  }

  #heading(step) {
    const tag = this.saying.tag(step.answer);
    return el(
      "span",
      { title: tag ? `${step.piece}: ${tag}` : step.piece },
      el("bdi", { class: "piece" }, shown(step.piece)),
      tag === null ? null : el("bdi", { class: "tag" }, tag),
    );
  }

  #point(map, row, column) {
    this.onpoint(column);
    if (row === null) {
      this.readout.textContent = HINT;
      return;
    }
    const step = this.#steps[column];
    const after = `after step ${column + 1}, “${shown(step.piece)}”`;
    this.readout.textContent =
      map === "strip"
        ? `${this.saying.strip[row]}, ${after}: ${short(this.saying.strengths(step.answer)[row], 3)}`
        : `${this.name}, feature ${row + 1} of ${this.#features(step).length}, ${after}: ${short(this.#features(step)[row], 3)}`;
  }
}
