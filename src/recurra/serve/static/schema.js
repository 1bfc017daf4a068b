// What OpenAPI says of each call, as headings and tables.

import { el } from "./dom.js";

/** Return a block for each method of each path, but those of what this model does not do. */
export function calls({ paths, components }, takes) {
  const all = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, call]) => ({ path, method, call })));
  const asked = all.filter(({ path }) => !["/predict", "/generate", "/flow"].includes(path) || takes.includes(path.slice(1)));
  return asked.map(({ path, method, call }) => {
    const body = named(call.requestBody, components);
    const done = Object.keys(call.responses).find((status) => status.startsWith("2"));
    const reply = named(call.responses[done], components);
    return el(
      "div",
      { class: "call" },
      el("div", {}, el("h3", {}, el("span", { class: "verb" }, method.toUpperCase()), el("code", {}, path)), el("p", { class: "muted" }, call.description ?? "")),
      el("div", {}, body ? fields("Takes", body) : null, reply ? fields(`Answers ${done}`, reply) : null),
    );
  });
}

function named(message, components) {
  const reference = message?.content?.["application/json"]?.schema?.$ref;
  const schema = reference && components.schemas[reference.split("/").at(-1)];
  return Object.keys(schema?.properties ?? {}).length ? schema : null;
}

function fields(title, { properties, required = [] }) {
  const rows = Object.entries(properties).map(([name, of]) =>
    el("tr", {}, el("th", { scope: "row" }, el("code", {}, name)), el("td", {}, typeOf(of)), el("td", {}, [of.description ?? "", needed(name, of, required)].filter(Boolean).join(" "))),
  );
  return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title }, el("table", {}, el("caption", {}, title), el("tbody", {}, ...rows)));
}

function needed(name, of, required) {
  if (required.includes(name)) return "";
  return of.default === undefined || of.default === null ? "May be left out." : `${JSON.stringify(of.default)} if left out.`;
}

/** Return a type in words: "list of text", "whole number or null". */
function typeOf(of) {
  if (of.anyOf) return of.anyOf.filter(({ type }) => type !== "null").map(typeOf).join(" or ");
  if (of.const !== undefined) return JSON.stringify(of.const);
  if (of.enum) return of.enum.map((each) => JSON.stringify(each)).join(" or ");
  if (of.type === "array") return of.items?.type ? `list of ${typeOf(of.items)}` : "list";
  return { string: "text", integer: "whole number", number: "number", boolean: "true or false", object: "object" }[of.type] ?? "any";
}
