// Sequences as rows of tiles, a symbol each; the bar beneath is its probability, and a side panel
// says what else was likely there.

import { Bars } from "./bars.js";
import { el } from "./dom.js";
import { percent, shown } from "./numbers.js";

const NEXT = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -1e6], End: [0, 1e6] };
const MOST_OTHERS = 9;

/** The sequences that were made. */
export class Tiles {
  #rows = [];
  #steps = [];

  constructor() {
    this.list = el("ol", { class: "sequences", "aria-label": "What was made", onkeydown: (event) => this.#key(event) });
    this.where = el("p", { class: "after", role: "status" });
    this.bars = new Bars("What was likely here", MOST_OTHERS);
    this.said = el("p", { class: "visually-hidden", role: "status" });
    const hint = "Point at a symbol, or move with the arrow keys.";
    this.side = el("div", { class: "side" }, el("h3", {}, "What was likely there"), this.where, this.bars.node, el("p", { class: "hint" }, hint));
    this.side.hidden = true;
    this.node = el("div", { class: "tiles" }, this.list, this.side, this.said);
  }

  /** Show sequences, and for each its steps {symbol, p, others} (null where there are none). */
  show(sequences, steps) {
    this.#steps = steps ?? [];
    this.#rows = sequences.map((_, k) => (this.#steps[k] ?? []).map((step, i) => this.#tile(step, k, i)));
    this.list.replaceChildren(
      ...sequences.map((sequence, k) =>
        el(
          "li",
          { dir: "auto" },
          el("span", { class: "visually-hidden" }, written(sequence)),
          el("span", { class: "row-of-tiles" }, ...(steps ? this.#rows[k] : [written(sequence)])),
        ),
      ),
    );
    this.side.hidden = !steps || !sequences.length;
    this.said.textContent = `${sequences.length} made: ${sequences.slice(0, 10).map(written).join(", ")}`;
    if (!this.side.hidden) this.#point(0, 0);
  }

  #tile(step, k, i) {
    return el(
      "button",
      {
        type: "button",
        class: step.symbol === "" ? "tile end" : "tile",
        tabindex: k + i ? -1 : 0,
        "aria-label": `${shown(step.symbol)}, ${percent(step.p)}`,
        style: { "--p": step.p },
        onpointerenter: () => this.#point(k, i),
        onfocus: () => this.#point(k, i),
      },
      el("bdi", {}, shown(step.symbol)),
    );
  }

  #point(k, i) {
    const step = this.#steps[k][i];
    const before = this.#steps[k].slice(0, i).map(({ symbol }) => shown(symbol));
    for (const row of this.#rows) for (const tile of row) tile.classList.remove("pointed");
    this.#rows[k][i].classList.add("pointed");
    this.where.replaceChildren(...(before.length ? ["After ", el("bdi", {}, `“${before.join("")}”`)] : ["At the beginning"]));
    const pairs = [[step.symbol, step.p], ...step.others].sort((a, b) => b[1] - a[1]);
    this.bars.show(kept(pairs, step.symbol), shown(step.symbol));
  }

  #key(event) {
    const move = NEXT[event.key];
    const k = this.#rows.findIndex((row) => row.includes(document.activeElement));
    if (!move || k < 0) return;
    event.preventDefault();
    const row = Math.min(this.#rows.length - 1, Math.max(0, k + move[0]));
    const along = this.#rows[k].indexOf(document.activeElement) + move[1];
    const tile = this.#rows[row][Math.min(this.#rows[row].length - 1, Math.max(0, along))];
    for (const each of this.#rows.flat()) each.tabIndex = each === tile ? 0 : -1;
    tile.focus();
  }
}

const written = (sequence) => (Array.isArray(sequence) ? sequence.join(" ") : sequence);

/** Return the likeliest, and the one that came whatever its place. */
function kept(pairs, symbol) {
  const first = pairs.slice(0, MOST_OTHERS);
  if (!first.some(([each]) => each === symbol)) first[MOST_OTHERS - 1] = pairs.find(([each]) => each === symbol);
  return first.map(([each, p]) => [shown(each), p]);
}
