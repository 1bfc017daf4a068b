// The page: asks what the served model can do, and puts up a panel for each.

import { aboutPanel } from "./about.js";
import { answerPanel } from "./answer.js";
import { get } from "./api.js";
import { el } from "./dom.js";
import { flowPanel } from "./flow.js";
import { forecastPanel } from "./forecast.js";
import { generatePanel } from "./generate.js";
import { count } from "./numbers.js";
import { picturePanel } from "./picture.js";
import { watchPanel } from "./watch.js";

// When a panel is there, what it is called, what it is for, and what makes it.
const PANELS = [
  {
    id: "generate",
    title: "Generate",
    lead: ({ kind }) =>
      `New sequences like those the model learned.${kind === "numbers" ? "" : " The bar beneath a symbol is the probability the model gave it there."}`,
    fits: ({ takes }) => takes.includes("generate"),
    make: generatePanel,
  },
  {
    id: "forecast",
    title: "Forecast",
    lead: "What comes next, and how sure that is: the darker the band, the likelier.",
    fits: ({ task }) => task === "Forecaster",
    make: forecastPanel,
  },
  {
    id: "caption",
    title: "Caption",
    lead: "What the model says a picture shows.",
    fits: ({ task }) => task === "Captioner",
    make: picturePanel,
  },
  {
    id: "watch",
    title: "Watch it read",
    lead: "Type, and see at each step what the model makes of it, and the state it carries on.",
    fits: (model) => streamsText(model),
    make: watchPanel,
  },
  {
    id: "ask",
    title: "Ask",
    lead: "An input in, an answer out.",
    fits: (model) => model.takes.includes("predict") && !["Forecaster", "Captioner"].includes(model.task) && !streamsText(model),
    make: answerPanel,
  },
  {
    id: "flow",
    title: "Gradient flow",
    lead: "How much of the gradient of a loss reaches the states before it: what the model could have learned from how long ago.",
    fits: ({ takes }) => takes.includes("flow"),
    make: flowPanel,
  },
  { id: "model", title: "The model", lead: "", fits: () => true, make: aboutPanel },
];

const streamsText = ({ takes, kind }) => takes.includes("stream") && kind !== "numbers";

function show(model) {
  document.title = `${model.name} – Recurra`;
  document.getElementById("name").textContent = model.name;
  document.getElementById("lead").textContent = `${model.task}, ${model.cell}, ${count(model.parameters)} parameters`;
  const panels = PANELS.filter(({ fits }) => fits(model));
  document.getElementById("panels").append(...panels.map((panel) => section(panel, model)));
  document.getElementById("sections").append(...panels.map(({ id, title }) => el("a", { href: `#${id}` }, title)));
}

function section({ id, title, lead, make }, model) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), lead ? el("p", { class: "lead" }, typeof lead === "string" ? lead : lead(model)) : null, make(model));
}

try {
  show(await get("/model"));
} catch (error) {
  const trouble = document.getElementById("trouble");
  trouble.textContent = error.message;
  trouble.hidden = false;
  if (!error.code) throw error;
}
