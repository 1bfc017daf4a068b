// The panel "Gradient flow": how much of a loss's gradient reaches each earlier step of a text.

import { post } from "./api.js";
import { gradient, sequential } from "./colours.js";
import { Combobox } from "./combobox.js";
import { choice, el, field, Notice, whileBusy } from "./dom.js";
import { HeatMap } from "./heatmap.js";
import { short, shown } from "./numbers.js";
import { hintOf, whole } from "./pieces.js";

const MOST_SYMBOLS = 64;
const DECADES = 12; // below the largest; what is less is drawn as that
const HINT = "Point at a cell, or move through them with the arrow keys.";
const FAINTEST = 0.06; // of the scale: told from the paper

/** Return the panel's content. */
export function flowPanel(model) {
  return new Flow(model).node;
}

class Flow {
  #found = null;

  constructor(model) {
    this.model = model;
    this.notice = new Notice();
    this.verdict = el("p", { class: "verdict", role: "status" });
    this.label = model.conditions ? new Combobox(model.conditions) : null;
    this.text = el("input", { type: "text", maxlength: 400, autocomplete: "off", spellcheck: "false", dir: "auto", required: true });
    this.button = el("button", { type: "submit", class: "main" }, "Measure");
    this.layer = choice("Layer", []);
    this.layer.onchange = () => this.#draw();
    this.map = new HeatMap({ label: "Gradient of each loss on each state", onpoint: (row, column) => this.#tell(row, column) });
    this.top = el("div", { class: "symbols", "aria-hidden": "true" });
    this.side = el("div", { class: "symbols upright", "aria-hidden": "true" });
    this.axes = el("span", { class: "hint" });
    this.scale = el("span", { class: "scale" });
    this.low = el("span", { class: "number" });
    this.high = el("span", { class: "number" });
    this.readout = el("p", { class: "readout", role: "status" }, HINT);
    this.result = this.#figure();
    this.result.hidden = true;
    this.node = el("div", { class: "split" }, this.#form(), el("div", { class: "made" }, this.verdict, this.result));
    document.addEventListener("themechange", () => this.#paint());
  }

  #form() {
    return el(
      "form",
      {
        class: "controls",
        onsubmit: (event) => {
          event.preventDefault();
          whileBusy(this.button, this.notice, () => this.#measure());
        },
      },
      this.label ? field("Label", this.label, "Type to search.") : null,
      field("Text", this.text, `${hintOf(this.model)} Up to ${MOST_SYMBOLS} symbols.`.trim()),
      el("div", { class: "row" }, this.button),
      this.notice.node,
    );
  }

  #figure() {
    return el(
      "figure",
      {},
      el("div", { class: "row heading" }, this.layer, this.axes),
      el("div", { class: "columns" }, el("div", { class: "sheet square" }, this.side, el("div", {}, this.top, this.map.node))),
      el("div", { class: "legend" }, this.low, this.scale, this.high, el("span", { class: "muted" }, "‖∂L/∂s‖, on a logarithmic scale")),
      this.readout,
    );
  }

  async #measure() {
    this.#found = await post("/flow", { input: whole(this.model, this.text.value), ...(this.label ? { condition: this.label.value } : {}) });
    const { layers, verdict } = this.#found;
    const kept = Math.min(layers - 1, Number(this.layer.value || layers - 1));
    this.layer.replaceChildren(...Array.from({ length: layers }, (_, k) => el("option", { value: k }, `Layer ${k + 1}`)));
    this.layer.value = kept;
    this.layer.hidden = layers < 2;
    this.verdict.textContent = verdict;
    this.result.hidden = false;
    this.axes.textContent = `Across: the state at each step. Down: ${this.#found.times.length > 1 ? "the loss at each step" : "the one loss, after the last step"}.`;
    this.#draw();
  }

  get #norms() {
    return this.#found.norms[Number(this.layer.value)];
  }

  #draw() {
    const { symbols, times } = this.#found;
    const norms = this.#norms;
    const positive = norms.flat().filter((value) => value > 0);
    this.most = Math.log10(Math.max(...positive));
    this.least = Math.max(this.most - DECADES, Math.log10(Math.min(...positive)));
    const longest = Math.max(...symbols.map((symbol) => symbol.length));
    const side = longest > 2 ? Math.min(80, 16 + 8 * longest) : Math.max(14, Math.min(34, Math.floor(680 / symbols.length)));
    this.result.style.setProperty("--column-width", `${side}px`);
    this.result.style.setProperty("--row-height", `${Math.min(side, 34)}px`);
    const heading = (symbol) => el("span", { title: symbol }, el("bdi", { class: "piece" }, shown(symbol || "start")));
    this.top.replaceChildren(...symbols.map(heading));
    this.side.replaceChildren(...times.map((time) => heading(symbols[time])));
    this.map.draw(norms.length, symbols.length, [side, Math.min(side, 34)], (row, column) => this.#colour(norms[row][column]));
    this.low.textContent = short(10 ** this.least, 2);
    this.high.textContent = short(10 ** this.most, 2);
    this.#paint();
  }

  #colour(norm) {
    if (norm === null) return null;
    const share = norm > 0 ? (Math.log10(norm) - this.least) / (this.most - this.least || 1) : 0;
    return sequential(FAINTEST + (1 - FAINTEST) * Math.max(0, share));
  }

  #paint() {
    this.scale.style.setProperty("background", gradient(sequential, FAINTEST));
  }

  #tell(row, column) {
    if (row === null) {
      this.readout.textContent = HINT;
      return;
    }
    const { symbols, times } = this.#found;
    const norms = this.#norms;
    const time = times[row];
    const named = (k) => `step ${k + 1}, “${shown(symbols[k] || "start")}”`;
    const norm = norms[row][column];
    this.readout.textContent =
      norm === null
        ? `The state at ${named(column)} comes after the loss at ${named(time)}.`
        : `Loss at ${named(time)}, state at ${named(column)}, ${time - column} back: ${short(norm, 3)}`;
  }
}
