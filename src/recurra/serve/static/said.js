// What a model says of what it has read, as each task says it: in bars or a number, and in a strip.

import { Bars, likeliest } from "./bars.js";
import { el } from "./dom.js";
import { short, shown } from "./numbers.js";

const MOST_BARS = 10;
const MOST_CLASSES = 12;

/**
 * Return how a task's answers are shown: `view.node` and `view.show(answer)`; `strip`, the names of
 * the rows of probabilities by step, with `strengths(answer)`; `tag(answer)`, a word for each step.
 */
export function sayingOf(model) {
  const make = { SequenceGenerator: nextSymbols, SequenceTagger: tags, SequenceRegressor: numbers }[model.task];
  return (make ?? classes)(model);
}

function classes({ classes }) {
  const bars = new Bars("Probability of each class", Math.min(classes.length, MOST_CLASSES));
  return {
    title: "Which class it is",
    node: bars.node,
    show: (p) => bars.show(p ? likeliest(classes, p, MOST_CLASSES) : [], p && classes[best(p)]),
    strip: classes.length <= MOST_CLASSES ? classes : [],
    strengths: (p) => p,
    tag: () => null,
  };
}

function tags({ classes }) {
  const last = (answer) => answer?.at(-1);
  const bars = new Bars("Probability of each tag", Math.min(classes.length, MOST_BARS));
  return {
    title: "Which tag it has",
    node: bars.node,
    show: (answer) => {
      const p = last(answer);
      bars.show(p ? sorted(classes, p).slice(0, MOST_BARS) : [], p && classes[best(p)]);
    },
    strip: [],
    strengths: () => [],
    tag: (answer) => (last(answer) ? classes[best(last(answer))] : null),
  };
}

function nextSymbols() {
  const bars = new Bars("Probability of what comes next", MOST_BARS);
  return {
    title: "What comes next",
    node: bars.node,
    show: (answer) => {
      const pairs = Object.entries(answer ?? {}).slice(0, MOST_BARS);
      bars.show(pairs.map(([symbol, p]) => [shown(symbol), p]));
    },
    strip: [],
    strengths: () => [],
    tag: () => null,
  };
}

function numbers() {
  const node = el("p", { class: "figure" }, "–");
  return {
    title: "The number so far",
    node,
    show: (answer) => {
      node.textContent = answer === undefined || answer === null ? "–" : [answer].flat().map((v) => short(v)).join(", ");
    },
    strip: [],
    strengths: () => [],
    tag: (answer) => [answer].flat().map((value) => short(value, 3)).join(", "),
  };
}

/** Return the place of the largest probability. */
export const best = (p) => p.indexOf(Math.max(...p));

/** Return [label, probability] pairs, the likeliest first. */
export const sorted = (labels, p) => labels.map((label, k) => [label, p[k]]).sort((a, b) => b[1] - a[1]);
