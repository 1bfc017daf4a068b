// The little of Markdown that model cards are written in, as elements; anything else stays text.

import { el } from "./dom.js";

/** Return a text's blocks as elements; its headings begin at level `top`. */
export function markdown(text, top) {
  const lines = text.replaceAll("\r", "").split("\n");
  const blocks = [];
  while (lines.length) {
    const block = KINDS.find(([begins]) => begins.test(lines[0]));
    if (block) blocks.push(block[1](lines, top));
    else lines.shift();
  }
  return blocks;
}

const FENCE = /^```/;
const HEADING = /^(#{1,6})\s+(.*)$/;
const ITEM = /^\s*[-*]\s+(.*)$/;
const ROW = /^\s*\|.*\|\s*$/;
const WORDS = /\S/;

const KINDS = [
  [FENCE, code],
  [HEADING, heading],
  [ITEM, list],
  [ROW, table],
  [WORDS, paragraph],
];

function code(lines) {
  lines.shift();
  const end = lines.findIndex((line) => FENCE.test(line));
  const inside = lines.splice(0, end === -1 ? lines.length : end);
  lines.shift();
  return el("pre", { tabindex: 0 }, el("code", {}, inside.join("\n")));
}

function heading(lines, top) {
  const [, marks, text] = lines.shift().match(HEADING);
  return el(`h${Math.min(6, marks.length + top - 1)}`, {}, ...inline(text));
}

function list(lines) {
  const items = [];
  while (lines.length && (ITEM.test(lines[0]) || (items.length && /^\s+\S/.test(lines[0])))) {
    const item = lines[0].match(ITEM);
    if (item) items.push(item[1]);
    else items[items.length - 1] += ` ${lines[0].trim()}`;
    lines.shift();
  }
  return el("ul", {}, ...items.map((item) => el("li", {}, ...inline(item))));
}

function table(lines) {
  const rows = [];
  while (lines.length && ROW.test(lines[0])) rows.push(cells(lines.shift()));
  const ruled = rows.length > 1 && rows[1].every((cell) => /^:?-+:?$/.test(cell));
  const head = ruled ? rows.splice(0, 2)[0] : null;
  const row = (tag, of) => el("tr", {}, ...of.map((cell) => el(tag, tag === "th" ? { scope: "col" } : {}, ...inline(cell))));
  return el(
    "div",
    { class: "scroll", tabindex: 0 },
    el("table", {}, head ? el("thead", {}, row("th", head)) : null, el("tbody", {}, ...rows.map((of) => row("td", of)))),
  );
}

const cells = (line) => line.trim().slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function paragraph(lines) {
  const words = [];
  do words.push(lines.shift());
  while (lines.length && WORDS.test(lines[0]) && !KINDS.slice(0, -1).some(([begins]) => begins.test(lines[0])));
  return el("p", {}, ...inline(words.join(" ")));
}

/** Return a line's texts, its code and what is strong. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (/^`.+`$/.test(part)) return el("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return el("strong", {}, part.slice(2, -2));
    return part;
  });
}
