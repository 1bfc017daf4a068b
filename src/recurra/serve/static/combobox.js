// A list to choose from that is searched by typing: the ARIA pattern "editable combobox with list".

import { el, newId } from "./dom.js";

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** A text box that holds one of some options. */
export class Combobox {
  #found = [];
  #at = -1;

  /** `onchange(option)` is called when another option is chosen. */
  constructor(options, onchange = () => {}) {
    this.options = options;
    this.onchange = onchange;
    this.value = options[0];
    const id = newId("list");
    this.input = el("input", {
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": id,
      oninput: () => this.#open(this.input.value),
      onclick: () => this.#open(""),
      onfocus: () => this.input.select(),
      onblur: () => this.#close(),
      onkeydown: (event) => this.#key(event),
    });
    this.list = el("ul", { role: "listbox", id, hidden: true, "aria-label": "Choices" });
    this.node = el("div", { class: "combobox" }, this.input, this.list);
    this.input.value = this.value;
  }

  #open(text) {
    const wanted = plain(text);
    const starts = this.options.filter((option) => plain(option).startsWith(wanted));
    const holds = this.options.filter((option) => !starts.includes(option) && plain(option).includes(wanted));
    this.#found = [...starts, ...holds];
    this.list.replaceChildren(
      ...this.#found.map((option, k) =>
        el(
          "li",
          {
            role: "option",
            id: `${this.list.id}-${k}`,
            dir: "auto",
            // Before the box loses the focus, which closes the list.
            onpointerdown: (event) => {
              event.preventDefault();
              this.#choose(option);
            },
          },
          option,
        ),
      ),
    );
    if (!this.#found.length) this.list.append(el("li", { class: "none" }, "None of the choices has this."));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#mark(text ? 0 : this.#found.indexOf(this.value));
  }

  #mark(k) {
    this.#at = k;
    [...this.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === k)));
    const item = this.#found[k] === undefined ? null : this.list.children[k];
    if (item) this.input.setAttribute("aria-activedescendant", item.id);
    else this.input.removeAttribute("aria-activedescendant");
    item?.scrollIntoView({ block: "nearest" });
  }

  #choose(option) {
    const other = option !== this.value;
    this.value = option;
    this.#close();
    this.input.select();
    if (other) this.onchange(option);
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.value = this.value;
  }

  #key(event) {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (!open) this.#open("");
      else if (this.#found.length) this.#mark((this.#at + step + this.#found.length) % this.#found.length);
    } else if (event.key === "Enter" && open) {
      if (this.#found[this.#at] !== undefined) this.#choose(this.#found[this.#at]);
    } else if (event.key === "Escape" && open) {
      this.#close();
    } else return;
    event.preventDefault();
  }
}
