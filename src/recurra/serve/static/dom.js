// Elements from data. What a model or a user wrote goes in as text only, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return an element: `on…` functions listen, `style` sets properties, true is a bare attribute,
 * null and false leave one out; children are nodes or texts.
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an SVG element, made as `el` makes one. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") for (const [key, of] of Object.entries(value)) node.style.setProperty(key, of);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

let made = 0;

/** Return an id that no other element of the page has. */
export const newId = (name) => `${name}-${++made}`;

/** Return a control, or what has one as its `input`, with its label above and a hint beneath. */
export function field(label, control, hint = null) {
  const input = control.input ?? control;
  input.id ||= newId("field");
  const note = hint === null ? null : el("p", { class: "hint", id: `${input.id}-hint` }, hint);
  if (note) input.setAttribute("aria-describedby", note.id);
  return el("div", { class: "field" }, el("label", { for: input.id }, label), control.node ?? control, note);
}

/** Return a drop-down list of [value, text] pairs, with a name for who cannot see it. */
export function choice(label, pairs) {
  return el("select", { "aria-label": label }, ...pairs.map(([value, text]) => el("option", { value }, text)));
}

/** A line that says what happened: read aloud, empty most of the time. */
export class Notice {
  constructor() {
    this.node = el("p", { class: "notice", role: "status" });
    this.clear();
  }

  /** Say a text; of kind "error" or "info". */
  say(text, kind = "info") {
    this.node.textContent = text;
    this.node.dataset.kind = kind;
    this.node.hidden = !text;
  }

  clear() {
    this.say("");
  }
}

/** Run `work` while a button says that it is busy; one at a time, errors go to the notice. */
export async function whileBusy(button, notice, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  notice.clear();
  try {
    await work();
  } catch (error) {
    if (!error.code) throw error; // not the server's: a fault of this page
    notice.say(error.message, "error");
  } finally {
    button.removeAttribute("aria-busy");
  }
}
