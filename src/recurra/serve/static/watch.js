// The panel "Watch": a text is read as it is typed, and the model's mind is seen to change.

import { Combobox } from "./combobox.js";
import { Connection } from "./connection.js";
import { choice, el, field, Notice } from "./dom.js";
import { cutting } from "./pieces.js";
import { Roll } from "./roll.js";
import { sayingOf } from "./said.js";
import { Trail } from "./trail.js";

const MOST_SYMBOLS = 500;
const PAUSE = 500; // milliseconds after which a word that is not ended is read as it stands
const LINGER = 8000; // milliseconds that news stay

/** Return the panel's content. */
export function watchPanel(model) {
  return new Watch(model).node;
}

class Watch {
  #clock = null;
  #news = null;

  constructor(model) {
    this.cutting = cutting(model);
    this.saying = sayingOf(model);
    this.notice = new Notice();
    this.link = new Notice();
    this.roll = new Roll({
      cutting: this.cutting,
      saying: this.saying,
      onpoint: (step) => this.#show(step),
    });
    const connection = new Connection("/streams/ws", (state, seconds) => this.#connected(state, seconds));
    this.trail = new Trail({
      connection,
      cutting: this.cutting,
      begins: model.task === "SequenceGenerator",
      onchange: () => this.#changed(),
      onsay: (text, kind) => this.#say(text, kind),
    });
    this.text = el("textarea", {
      rows: 3,
      maxlength: MOST_SYMBOLS,
      spellcheck: "false",
      autocomplete: "off",
      dir: "auto",
      oninput: () => this.#typed(),
    });
    this.after = el("p", { class: "after" });
    this.node = this.#layout(model);
    document.addEventListener("themechange", () => this.roll.paint());
    if (model.conditions) this.trail.restart(this.label.value);
    else this.trail.follow([]);
    this.#changed();
  }

  #layout(model) {
    const forget = el("button", { type: "button", class: "quiet", onclick: () => this.#forget() }, "Forget");
    const words = this.cutting.unit !== "character";
    const controls = el(
      "div",
      { class: "controls" },
      model.conditions ? this.#labels(model.conditions) : null,
      field("Your text", this.text, `Read a ${this.cutting.unit} at a time${words ? ", as each ends" : ""}; delete to go back.`),
      el("div", { class: "row" }, forget),
      this.notice.node,
      this.link.node,
    );
    const answer = el("div", { class: "answer" }, el("h3", {}, this.saying.title), this.after, this.saying.node);
    const head = el("div", { class: "row heading" }, el("h3", {}, "Hidden state"), ...this.#choices(model.state));
    const state = el("div", { class: "state" }, head, this.roll.node);
    return el("div", { class: "watch" }, controls, answer, state);
  }

  #labels(conditions) {
    this.label = new Combobox(conditions, (label) => this.trail.restart(label));
    return field("Label", this.label);
  }

  /** Choose which state of which layer is shown; the top one at first. */
  #choices(state) {
    const names = Object.keys(state);
    const layers = names.length ? state[names[0]][0] : 1;
    const name = choice("State", names.map((each) => [each, each]));
    const layer = choice("Layer", Array.from({ length: layers }, (_, k) => [String(k), `layer ${k + 1}`]));
    layer.value = String(layers - 1);
    const choose = () => this.roll.choose(name.value, Number(layer.value));
    name.onchange = choose;
    layer.onchange = choose;
    choose();
    return [names.length > 1 ? name : null, layers > 1 ? layer : null];
  }

  #typed() {
    clearTimeout(this.#clock);
    const text = this.text.value;
    const pieces = this.cutting.cut(text);
    if (this.cutting.complete(text)) {
      this.trail.follow(pieces);
    } else {
      this.trail.follow(pieces.slice(0, -1));
      this.#clock = setTimeout(() => this.trail.follow(pieces), PAUSE);
    }
  }

  #forget() {
    this.text.value = "";
    this.#typed();
    this.text.focus();
  }

  #changed() {
    this.roll.show(this.trail.steps);
    this.#show(null);
  }

  /** Show what was said after a step; null is the newest. */
  #show(step) {
    const { steps, start } = this.trail;
    const k = step ?? steps.length - 1;
    const said = steps[k] ?? start;
    this.saying.show(said?.answer);
    const unit = this.cutting.unit;
    this.after.textContent = k >= 0 ? `After ${k + 1} ${unit}${k ? "s" : ""}` : `Before the first ${unit}`;
  }

  #say(text, kind = "info") {
    if (!text && this.#news) return; // news stay until they were read
    clearTimeout(this.#news);
    this.#news = null;
    this.notice.say(text, kind);
    if (!text || kind === "error") return;
    this.#news = setTimeout(() => {
      this.#news = null;
      this.notice.clear();
    }, LINGER);
  }

  #connected(state, seconds) {
    if (state === "open") this.link.say("The connection is back.");
    else this.link.say(`The connection to the server is lost; trying again${seconds ? ` in ${seconds} s` : ""}.`, "error");
  }
}
