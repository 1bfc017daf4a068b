// The page at /docs: this server's API, from what it says of itself, with examples for its model.

import { get } from "./api.js";
import { el } from "./dom.js";
import { examplesOf, streamExamples } from "./examples.js";
import { count } from "./numbers.js";
import { calls } from "./schema.js";

const CODES = [
  ["401", "token", "The token is missing or wrong."],
  ["403, 421", "origin, host", "The request came from another site's page, or called the server by a foreign name."],
  ["404", "path, unknown", "There is no such path, or never was such a stream."],
  ["409", "step", "This is not the stream's next step; the answer says where it is."],
  ["409", "expired, closed, fault, restarted", "The stream is no more, and why."],
  ["413, 415, 422", "large, type, body, input, …", "The request is too large, not JSON, or wrong; nothing was done."],
  ["429", "streams", "There are as many streams as the server takes."],
  ["503", "busy, draining, time", "Ask again after Retry-After seconds, or elsewhere."],
];

const SECTIONS = [
  { id: "start", title: "In short", make: start },
  { id: "ask", title: "Ask the model", make: ({ model }) => examplesOf(model).map(example), fits: ({ model }) => model.takes.some((each) => each !== "stream") },
  { id: "streams", title: "Streams", make: streams, fits: ({ model }) => model.takes.includes("stream") },
  { id: "errors", title: "Errors", make: errors },
  { id: "calls", title: "All calls", make: ({ openapi, model }) => [el("div", { class: "docs" }, ...calls(openapi, model.takes))] },
];

function start({ model }) {
  const { limits } = model;
  return [
    example({
      title: "What the model is",
      text: "JSON goes in and comes out, in UTF-8. A request with a body says Content-Type: application/json.",
      command: `curl ${location.origin}/model`,
    }),
    el("p", {}, "A server that was started with --token wants it with every request: -H 'Authorization: Bearer TOKEN'. A browser that opened the address with ?token=… has it in a cookie."),
    el("p", {}, `A request may hold ${count(limits.text)} characters and numbers in ${count(limits.body)} bytes, and ask for ${count(limits.n)} answers.`),
  ];
}

function streams({ model }) {
  const rules = [
    "A stream is one input that comes in pieces. The server keeps the state: a push costs its piece, however much was read before.",
    "Each push has a step number: the last one's and one. So a push that was lost is told from one that was read.",
    "The last number again gives its answer again, and nothing is read twice. Any other number is refused with 409, which says where the stream is.",
    "A push that is refused changes nothing: its number is free for the next try.",
    `A stream that nobody pushes to for ${count(model.limits.idle_seconds)} seconds ends. Whoever comes later is told so: 409, code "expired".`,
    "A state can be saved, and opened again on any server of the same model.",
  ];
  return [el("ul", {}, ...rules.map((rule) => el("li", {}, rule))), ...streamExamples(model).map(example)];
}

function errors() {
  const row = ([status, code, text]) => el("tr", {}, el("th", { scope: "row" }, status), el("td", {}, el("code", {}, code)), el("td", {}, text));
  return [
    el("p", {}, "Every error has a code for programs and a sentence for people: ", el("code", {}, '{"error": {"code": "step", "message": "…"}}')),
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": "Errors" },
      el("table", {}, el("thead", {}, el("tr", {}, ...["status", "code", "what it means"].map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, ...CODES.map(row))),
    ),
  ];
}

/** Return a command beside what it is for, with a button that copies it. */
function example({ title, text, command }) {
  const button = el("button", { type: "button", class: "quiet", "aria-label": `Copy: ${title}`, onclick: () => copy(command, button) }, "Copy");
  return el(
    "div",
    { class: "example" },
    el("div", {}, el("h3", {}, title), text ? el("p", { class: "muted" }, text) : null),
    el("div", { class: "command" }, el("pre", { tabindex: 0 }, el("code", {}, command)), button),
  );
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it"; // the browser does not let pages copy
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

function show(model, openapi) {
  document.title = `API of ${model.name} – Recurra`;
  document.getElementById("lead").textContent = `What this server of ${model.name} takes and answers, over HTTP and WebSockets.`;
  const about = { model, openapi };
  const sections = SECTIONS.filter(({ fits }) => !fits || fits(about));
  document.getElementById("sections").append(...sections.map(({ id, title }) => el("a", { href: `#${id}` }, title)));
  document.getElementById("panels").append(
    ...sections.map(({ id, title, make }) => el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), el("div", { class: "docs" }, ...make(about)))),
  );
}

try {
  show(...(await Promise.all([get("/model"), get("/openapi.json")])));
} catch (error) {
  const trouble = document.getElementById("trouble");
  trouble.textContent = error.message;
  trouble.hidden = false;
  if (!error.code) throw error;
}
