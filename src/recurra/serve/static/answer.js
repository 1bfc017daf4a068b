// The panel "Ask": an input in, an answer out, for models that answer when they have the whole.

import { post } from "./api.js";
import { Bars, likeliest } from "./bars.js";
import { el, field, Notice, whileBusy } from "./dom.js";
import { readNumbers, short } from "./numbers.js";
import { hintOf, whole } from "./pieces.js";
import { best } from "./said.js";

const MOST_CLASSES = 12;

/** Return the panel's content. */
export function answerPanel(model) {
  const notice = new Notice();
  const text = el("textarea", { rows: 4, maxlength: model.limits.text, spellcheck: "false", dir: "auto", required: true });
  const button = el("button", { type: "submit", class: "main" }, "Ask");
  const made = el("div", { class: "made", "aria-live": "polite" });

  async function ask() {
    const answer = await post("/predict", { inputs: [inputOf(model, text.value)] });
    made.replaceChildren(...answered(answer));
  }

  const form = el(
    "form",
    {
      class: "controls",
      onsubmit: (event) => {
        event.preventDefault();
        whileBusy(button, notice, async () => {
          try {
            await ask();
          } catch (error) {
            if (!(error instanceof RangeError)) throw error;
            notice.say(error.message, "error");
          }
        });
      },
    },
    field(model.kind === "numbers" ? "Your numbers" : "Your text", text, hint(model)),
    el("div", { class: "row" }, button),
    notice.node,
  );
  return el("div", { class: "split" }, form, made);
}

function hint(model) {
  if (model.kind === "numbers") return "One step after another; of several features a line a step.";
  if (model.blank) return `Write ${model.blank} where the word is missing.`;
  return hintOf(model);
}

function inputOf(model, text) {
  if (model.kind !== "numbers") return whole(model, text);
  const lines = text.split("\n").filter((line) => line.trim());
  const rows = lines.map(readNumbers);
  return rows.length > 1 && rows.every((row) => row.length > 1) ? rows : rows.flat();
}

function answered({ predictions: [said], classes, probabilities, tokens }) {
  if (tokens) return [tagged(tokens[0], said)];
  const shown = typeof said === "number" ? short(said) : [said].flat().map(String).join(", ");
  const parts = [el("p", { class: "figure", dir: "auto" }, shown || "(nothing)")];
  if (probabilities) {
    const bars = new Bars("Probability of each", 0);
    bars.show(likeliest(classes, probabilities[0], MOST_CLASSES), classes[best(probabilities[0])]);
    parts.push(bars.node);
  }
  return parts;
}

function tagged(tokens, tags) {
  const words = [tokens].flat().map((token, k) => el("li", {}, el("bdi", { class: "piece" }, String(token)), el("bdi", { class: "tag" }, String(tags[k]))));
  return el("ol", { class: "tagged" }, ...words);
}
