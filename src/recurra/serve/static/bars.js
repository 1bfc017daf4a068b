// Probabilities as bars: a list of rows that keeps its rows as their values change.

import { el } from "./dom.js";
import { percent } from "./numbers.js";

/** A list of labelled bars. */
export class Bars {
  /** `rows` is how many are kept free, so that nothing moves as they fill. */
  constructor(label, rows = 0) {
    this.rows = rows;
    this.node = el("ol", { class: "bars", "aria-label": label });
    this.show([]);
  }

  /** Show [label, probability] pairs; the bar of label `marked` stands out. */
  show(pairs, marked = null) {
    const wanted = Math.max(pairs.length, this.rows);
    while (this.node.children.length > wanted) this.node.lastChild.remove();
    while (this.node.children.length < wanted) this.node.append(emptyRow());
    [...this.node.children].forEach((row, k) => {
      const [label, p] = pairs[k] ?? ["", 0];
      const [name, track, number] = row.children;
      name.textContent = label;
      name.title = label;
      track.style.setProperty("--p", p);
      number.textContent = pairs[k] ? percent(p) : "";
      row.classList.toggle("marked", marked !== null && label === marked);
      row.classList.toggle("empty", !pairs[k]);
    });
  }
}

function emptyRow() {
  return el(
    "li",
    {},
    el("span", { class: "name", dir: "auto" }),
    el("span", { class: "track", "aria-hidden": "true" }),
    el("span", { class: "number" }),
  );
}

/** Return up to `most` pairs, the likeliest first, and the rest as one called `others`. */
export function likeliest(labels, probabilities, most) {
  const pairs = labels.map((label, k) => [label, probabilities[k]]);
  if (pairs.length <= most) return pairs;
  pairs.sort((a, b) => b[1] - a[1]);
  const rest = pairs.slice(most - 1);
  return [...pairs.slice(0, most - 1), [`${rest.length} others`, rest.reduce((sum, [, p]) => sum + p, 0)]];
}
