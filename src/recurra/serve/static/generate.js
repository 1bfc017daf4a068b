// The panel "Generate": new sequences for a label and a beginning, each symbol with its probability.

import { post } from "./api.js";
import { Combobox } from "./combobox.js";
import { el, field, Notice, whileBusy } from "./dom.js";
import { short } from "./numbers.js";
import { cutting } from "./pieces.js";
import { Plot } from "./plot.js";
import { Tiles } from "./tiles.js";

const MOST_AT_ONCE = 100;
const MOST_STARTS = 60;

/** Return the panel's content. */
export function generatePanel(model) {
  const notice = new Notice();
  const made = el("div", { class: "made" });
  const label = model.conditions ? new Combobox(model.conditions, () => starts()) : null;
  const prefix = el("input", { type: "text", autocomplete: "off", spellcheck: "false", dir: "auto" });
  const most = Math.min(MOST_AT_ONCE, model.limits.n);
  const n = el("input", { type: "number", min: 1, max: most, value: Math.min(10, most), required: true });
  const heat = el("input", { type: "range", min: 0.1, max: 2, step: 0.1, value: 1, oninput: () => said() });
  const bold = el("output", {});
  const once = el("input", { type: "checkbox", checked: true, id: "once" });
  const button = el("button", { type: "submit", class: "main" }, "Generate");
  const hint = prefixHint(model);
  const ofNumbers = model.kind === "numbers";
  const tiles = new Tiles();

  const said = () => (bold.textContent = `${Number(heat.value).toFixed(1)}, ${boldness(Number(heat.value))}`);
  const starts = () => hint && (hint.textContent = startsOf(model, label?.value));

  async function generate() {
    const answer = await post("/generate", {
      ...(ofNumbers ? {} : { prefix: cutting(model).join(cutting(model).cut(prefix.value)) }),
      ...(label ? { condition: label.value } : {}),
      n: Number(n.value),
      temperature: Number(heat.value),
      unique: once.checked && !ofNumbers,
      steps: !ofNumbers,
    });
    if (ofNumbers) showNumbers(made, answer.sequences);
    else tiles.show(answer.sequences, answer.steps);
    if (answer.sequences.length < Number(n.value)) {
      notice.say(`Only ${answer.sequences.length} different ones came up: a higher temperature gives more.`);
    }
  }

  const form = el(
    "form",
    {
      class: "controls",
      onsubmit: (event) => {
        event.preventDefault();
        whileBusy(button, notice, generate);
      },
    },
    label ? field("Label", label, "Type to search.") : null,
    ofNumbers ? null : field("Beginning", prefix, hint ?? "What each one begins with; may be empty."),
    el("div", { class: "pair" }, field("How many", n), temperature(heat, bold)),
    ofNumbers ? null : el("div", { class: "row" }, once, el("label", { for: once.id }, "Each only once")),
    el("div", { class: "row" }, button),
    notice.node,
  );
  said();
  starts();
  if (!ofNumbers) made.append(tiles.node);
  whileBusy(button, notice, generate); // an empty page says less than a first try
  return el("div", { class: "split" }, form, made);
}

function temperature(heat, bold) {
  const control = field("Temperature", heat);
  control.querySelector("label").append(" ", bold);
  bold.setAttribute("for", heat.id);
  return control;
}

const boldness = (t) => (t < 0.75 ? "surer" : t > 1.25 ? "bolder" : "as learned");

function prefixHint(model) {
  return model.starts ? el("span", { dir: "auto" }) : null;
}

function startsOf(model, label) {
  const all = model.starts[label ?? ""] ?? [];
  if (!all.length) return "What each one begins with; may be empty.";
  const more = all.length > MOST_STARTS ? " …" : "";
  return `They begin with ${all.slice(0, MOST_STARTS).join(" ")}${more}`;
}

function showNumbers(made, sequences) {
  const plots = sequences.map((sequence, k) => {
    const values = sequence.map((step) => [step].flat()[0]);
    const plot = new Plot({ label: `Sequence ${k + 1}`, height: 140, describe: (i) => `step ${i + 1}: ${short(values[i])}`, ...(k ? { hint: "" } : {}) });
    plot.show({ x: values.map((_, i) => i + 1), lines: [{ values, kind: "first" }] });
    return plot.node;
  });
  made.replaceChildren(...plots);
}
