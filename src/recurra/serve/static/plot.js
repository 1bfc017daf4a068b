// Lines and bands over an axis, as SVG of the width there is, with a cursor for pointer and keyboard.

import { el, svg } from "./dom.js";
import { short, ticks } from "./numbers.js";
import { timeAxis } from "./times.js";

const HINT = "Point at the chart, or move along it with the arrow keys.";
const MARGIN = { top: 12, right: 14, bottom: 28, left: 52 };

/** A chart that is drawn again when its width changes. */
export class Plot {
  #data = null;
  #at = null;

  /** `describe(k)` says in words what is at the k-th place of the axis; `hint`, how to get there. */
  constructor({ label, height, describe, hint = HINT }) {
    this.height = height;
    this.hint = hint;
    this.describe = describe;
    this.canvas = svg("svg", {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "chart; the left and right arrow keys move along it",
      "aria-label": label,
      height,
      onpointermove: (event) => this.#pointed(event),
      onpointerdown: (event) => this.#pointed(event),
      onpointerleave: () => this.#point(null),
      onfocus: () => this.#data && this.#point(this.#at ?? this.#data.x.length - 1),
      onblur: () => this.#point(null),
      onkeydown: (event) => this.#key(event),
    });
    this.readout = el("p", { class: "readout", role: "status" });
    this.node = el("div", { class: "plot" }, this.canvas, this.readout);
    new ResizeObserver(() => this.#draw()).observe(this.node);
  }

  /**
   * Show x (n), numbers or ISO times; lines {values, kind, from} and bands {low, high, from}, whose
   * values begin at the place `from` of x.
   */
  show({ x, lines, bands = [] }) {
    this.#data = { x, lines, bands };
    this.#at = null;
    this.#draw();
  }

  #draw() {
    const width = this.node.clientWidth;
    if (!this.#data || !width) return;
    const { x, lines, bands } = this.#data;
    const axis = timeAxis(x);
    const all = [...lines.flatMap((line) => line.values), ...bands.flatMap((band) => [...band.low, ...band.high])].filter(Number.isFinite);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const pad = (high - low || Math.abs(high) || 1) * 0.05;
    const across = spread(axis.values[0], axis.values.at(-1), MARGIN.left, width - MARGIN.right);
    const up = spread(low - pad, high + pad, this.height - MARGIN.bottom, MARGIN.top);
    this.places = axis.values.map(across);
    this.rule = svg("line", { class: "rule", y1: MARGIN.top, y2: this.height - MARGIN.bottom, visibility: "hidden" });
    const along = (values, from = 0) => values.map((value, k) => [this.places[from + k], up(value)]);
    this.canvas.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.canvas.replaceChildren(
      ...upright(ticks(low - pad, high + pad), up, width),
      ...axis.ticks(Math.max(2, Math.floor(width / 110))).map(([value, text]) => below(across(value), this.height, text, width)),
      ...bands.map(({ low: a, high: b, from }) => svg("path", { class: "band", d: `${path(along(a, from))}${path(along(b, from).reverse(), "L")}Z` })),
      ...lines.map(({ values, from, kind }) => svg("path", { class: `line ${kind}`, d: path(along(values, from)) })),
      this.rule,
    );
    this.#point(this.#at);
  }

  #point(k) {
    this.#at = k;
    if (this.rule) this.rule.setAttribute("visibility", k === null ? "hidden" : "visible");
    if (k !== null) {
      this.rule.setAttribute("x1", this.places[k]);
      this.rule.setAttribute("x2", this.places[k]);
    }
    this.readout.textContent = k === null ? this.hint : this.describe(k);
  }

  #pointed(event) {
    if (!this.places) return;
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    const far = this.places.map((place) => Math.abs(place - x));
    this.#point(far.indexOf(Math.min(...far)));
  }

  #key(event) {
    if (!this.#data) return;
    const last = this.#data.x.length - 1;
    const k = this.#at ?? last;
    const wanted = { ArrowLeft: k - 1, ArrowRight: k + 1, PageUp: k - 10, PageDown: k + 10, Home: 0, End: last }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.#point(Math.min(last, Math.max(0, wanted)));
  }
}

function spread(low, high, from, to) {
  const size = high - low || 1;
  return (value) => from + ((value - low) / size) * (to - from);
}

const path = (points, begin = "M") => points.map(([x, y], k) => `${k ? "L" : begin}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function upright(values, up, width) {
  return values.flatMap((value) => [
    svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: up(value), y2: up(value) }),
    svg("text", { class: "tick", x: MARGIN.left - 8, y: up(value), "text-anchor": "end", "dominant-baseline": "middle" }, short(value)),
  ]);
}

function below(x, height, text, width) {
  const edge = x > width - 40 ? "end" : x < 40 ? "start" : "middle";
  return svg("text", { class: "tick", x: edge === "end" ? Math.min(x, width - 4) : x, y: height - 8, "text-anchor": edge }, text);
}
