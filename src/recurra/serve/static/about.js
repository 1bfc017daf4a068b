// The panel "Model": its facts, its card.

import { el } from "./dom.js";
import { markdown } from "./markdown.js";
import { count } from "./numbers.js";

/** Return the panel's content. */
export function aboutPanel(model) {
  const facts = el("dl", { class: "facts" }, ...factsOf(model).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, ...breakable(value)))));
  const summary = el("details", {}, el("summary", {}, "Summary"), el("pre", { tabindex: 0 }, model.summary));
  const card = model.card ? el("details", { open: true }, el("summary", {}, "Model card"), el("div", { class: "card" }, ...markdown(model.card, 3))) : null;
  return el("div", { class: "about" }, facts, card, summary);
}

/** Return a text that may be broken before the capitals inside its words. */
function breakable(text) {
  return text.split(/(?<=[a-z])(?=[A-Z])/).flatMap((part, k) => (k ? [el("wbr"), part] : [part]));
}

function factsOf(model) {
  const { limits, takes } = model;
  const streams = takes.includes("stream");
  const states = Object.entries(model.state).map(([name, [layers, size]]) => `${name} ${layers} × ${count(size)}`);
  return [
    ["Task", model.task],
    ["Cell", model.cell],
    ["Parameters", count(model.parameters)],
    ["State, layers × features", states.join(", ")],
    ["Reads", { text: "texts", symbols: "lists of symbols", numbers: "numbers" }[model.kind]],
    ["Recurra", model.recurra],
    ["A stream ends after", streams && `${count(limits.idle_seconds)} s without a step`],
    ["Streams at once", streams && count(limits.streams)],
  ].filter(([, value]) => value);
}
