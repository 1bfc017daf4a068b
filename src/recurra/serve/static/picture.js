// The panel "Caption": a picture in, words out. The browser makes the numbers of the picture.

import { post } from "./api.js";
import { Combobox } from "./combobox.js";
import { el, field, Notice, whileBusy } from "./dom.js";

/** Return the panel's content. */
export function picturePanel(model) {
  if (!model.shape) return el("p", { class: "lead" }, "This page has no view for a model that takes pictures of any size: send them to POST /predict.");
  return new Captioning(model).node;
}

class Captioning {
  constructor(model) {
    [this.height, this.width, this.channels] = [...model.shape, 1];
    this.notice = new Notice();
    this.file = el("input", { type: "file", accept: "image/*", required: true, onchange: () => this.#read() });
    this.inverted = el("input", { type: "checkbox", id: "inverted", onchange: () => this.#read() });
    this.label = model.conditions ? new Combobox(model.conditions) : null;
    this.button = el("button", { type: "submit", class: "main" }, "Caption");
    this.preview = el("canvas", { class: "picture", width: this.width, height: this.height, role: "img", "aria-label": "The picture as the model sees it" });
    this.preview.hidden = true;
    this.said = el("p", { class: "figure", dir: "auto", "aria-live": "polite" });
    this.node = el("div", { class: "split" }, this.#form(), el("div", { class: "made" }, this.preview, this.said));
  }

  #form() {
    return el(
      "form",
      {
        class: "controls",
        onsubmit: (event) => {
          event.preventDefault();
          whileBusy(this.button, this.notice, () => this.#caption());
        },
      },
      field("Picture", this.file, `Made ${this.width} × ${this.height}${this.channels > 1 ? "" : ", grey"}; 0 is black, 1 is white.`),
      el("div", { class: "row" }, this.inverted, el("label", { for: this.inverted.id }, "Black and white exchanged")),
      this.label ? field("Label", this.label, "Type to search.") : null,
      el("div", { class: "row" }, this.button),
      this.notice.node,
    );
  }

  async #read() {
    const [file] = this.file.files;
    if (!file) return;
    this.notice.clear();
    try {
      const bitmap = await createImageBitmap(file, { resizeWidth: this.width, resizeHeight: this.height, resizeQuality: "high" });
      this.#draw(bitmap);
    } catch {
      this.notice.say(`${file.name} is no picture that this browser can read: give a PNG or JPEG.`, "error");
    }
  }

  /** Draw what the model will see: its size, its channels. */
  #draw(bitmap) {
    const context = this.preview.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.width, this.height);
    context.drawImage(bitmap, 0, 0);
    const image = context.getImageData(0, 0, this.width, this.height);
    for (let k = 0; k < image.data.length; k += 4) {
      const [r, g, b] = image.data.subarray(k, k + 3);
      const grey = 0.299 * r + 0.587 * g + 0.114 * b;
      const seen = this.channels > 1 ? [r, g, b] : [grey, grey, grey];
      image.data.set(this.inverted.checked ? seen.map((value) => 255 - value) : seen, k);
    }
    context.putImageData(image, 0, 0);
    this.preview.hidden = false;
  }

  #numbers() {
    const { data } = this.preview.getContext("2d").getImageData(0, 0, this.width, this.height);
    const pixel = (row, column) => {
      const k = 4 * (row * this.width + column);
      const values = [...data.subarray(k, k + this.channels)].map((value) => value / 255);
      return this.channels > 1 ? values : values[0];
    };
    return Array.from({ length: this.height }, (_, row) => Array.from({ length: this.width }, (_, column) => pixel(row, column)));
  }

  async #caption() {
    const label = this.label ? { condition: this.label.value } : {};
    const answer = await post("/predict", { inputs: [this.#numbers()], ...label });
    this.said.textContent = [answer.predictions[0]].flat().join(" ");
  }
}
