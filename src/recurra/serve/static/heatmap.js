// A heat map: a canvas with a pixel a cell, drawn large, and a cursor for pointer and keyboard.

import { el } from "./dom.js";

const MOVES = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  PageUp: [-10, 0],
  PageDown: [10, 0],
};

/** A grid of coloured cells that tells which one is pointed at. */
export class HeatMap {
  #rows = 0;
  #columns = 0;
  #colour = null;
  #at = null;

  /** `onpoint(row, column)` is called as the cursor moves, with nulls as it leaves. */
  constructor({ label, onpoint }) {
    this.onpoint = onpoint;
    this.canvas = el("canvas", {
      tabindex: 0,
      role: "application",
      "aria-roledescription": "heat map; the arrow keys move through its cells",
      "aria-label": label,
      width: 1,
      height: 1,
      onpointermove: (event) => this.#pointed(event),
      onpointerdown: (event) => this.#pointed(event),
      onpointerleave: () => this.point(null, null),
      onkeydown: (event) => this.#key(event),
      onfocus: () => this.#at ?? this.#start(),
      onblur: () => this.point(null, null),
    });
    this.cursor = el("div", { class: "cursor", hidden: true });
    this.node = el("div", { class: "heat" }, this.canvas, this.cursor);
    document.addEventListener("themechange", () => this.#paint());
  }

  /** Draw rows × columns cells of a size in CSS pixels; `colour(row, column)` is [r, g, b] or null. */
  draw(rows, columns, [width, height], colour) {
    this.#rows = rows;
    this.#columns = columns;
    this.#colour = colour;
    this.node.style.setProperty("--cell-width", `${width}px`);
    this.node.style.setProperty("--cell-height", `${height}px`);
    this.canvas.style.setProperty("width", `${columns * width}px`);
    this.canvas.style.setProperty("height", `${rows * height}px`);
    if (this.#at && (this.#at[0] >= rows || this.#at[1] >= columns)) this.point(null, null);
    this.#paint();
  }

  /** Move the cursor to a cell, or away with nulls, and tell. */
  point(row, column) {
    this.#at = row === null ? null : [row, column];
    this.cursor.hidden = row === null;
    if (row !== null) {
      this.cursor.style.setProperty("--row", row);
      this.cursor.style.setProperty("--column", column);
    }
    this.onpoint(row, column);
  }

  #start() {
    if (this.#rows && this.#columns) this.point(0, this.#columns - 1);
  }

  #paint() {
    this.canvas.width = this.#columns;
    this.canvas.height = this.#rows;
    if (!this.#rows || !this.#columns) return;
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(this.#columns, this.#rows);
    for (let row = 0, k = 0; row < this.#rows; row++) {
      for (let column = 0; column < this.#columns; column++, k += 4) {
        const colour = this.#colour(row, column);
        if (colour) image.data.set([...colour, 255], k);
      }
    }
    context.putImageData(image, 0, 0);
  }

  #pointed(event) {
    const box = this.canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.#rows);
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.#columns);
    if (row >= 0 && column >= 0 && row < this.#rows && column < this.#columns) this.point(row, column);
  }

  #key(event) {
    if (!this.#rows || !this.#columns) return;
    const [row, column] = this.#at ?? [0, this.#columns - 1];
    const move = MOVES[event.key];
    if (move) this.point(within(row + move[0], this.#rows), within(column + move[1], this.#columns));
    else if (event.key === "Home") this.point(row, 0);
    else if (event.key === "End") this.point(row, this.#columns - 1);
    else if (event.key === "Escape") this.point(null, null);
    else return;
    event.preventDefault();
    this.cursor.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

const within = (k, size) => Math.min(size - 1, Math.max(0, k));
