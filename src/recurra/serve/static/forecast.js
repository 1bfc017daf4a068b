// The panel "Forecast": what follows each series, with its fan of quantiles.

import { post } from "./api.js";
import { Combobox } from "./combobox.js";
import { el, field, Notice, whileBusy } from "./dom.js";
import { percent, readNumbers, short } from "./numbers.js";
import { Plot } from "./plot.js";
import { timeText } from "./times.js";

const NARROW = 500; // CSS pixels
const LEAST_AHEAD = 8; // steps, of which some multiple of the past is shown
const OWN = "your numbers";

/** Return the panel's content. */
export function forecastPanel(model) {
  return new Forecasting(model).node;
}

class Forecasting {
  #answer = null;
  #seen = null; // what is drawn of the past

  constructor(model) {
    this.notice = new Notice();
    this.horizon = el("input", { type: "number", min: 1, max: model.horizon, value: model.horizon, required: true });
    this.series = model.series?.length > 1 ? new Combobox(model.series, () => this.#draw()) : null;
    this.own = el("textarea", { rows: 3, spellcheck: "false", inputmode: "decimal" });
    this.button = el("button", { type: "submit", class: "main" }, "Forecast");
    this.plot = new Plot({ label: "The series and its forecast", height: 340, describe: (k) => this.#describe(k) });
    this.legend = el("ul", { class: "key" });
    this.table = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "The forecast in numbers" });
    this.node = el(
      "div",
      { class: "split" },
      this.#form(model),
      el("div", { class: "made" }, this.legend, this.plot.node, el("details", {}, el("summary", {}, "The numbers"), this.table)),
    );
    this.#ask();
  }

  #form(model) {
    return el(
      "form",
      {
        class: "controls",
        onsubmit: (event) => {
          event.preventDefault();
          this.#ask();
        },
      },
      this.series ? field("Series", this.series, "Type to search.") : null,
      field("Steps ahead", this.horizon, `1 to ${model.horizon}`),
      el("details", {}, el("summary", {}, "Forecast numbers of your own"), field("Values, the oldest first", this.own, "Empty: the series that the model learned.")),
      el("div", { class: "row" }, this.button),
      this.notice.node,
    );
  }

  #ask() {
    return whileBusy(this.button, this.notice, async () => {
      const body = { horizon: Number(this.horizon.value) };
      try {
        const own = readNumbers(this.own.value);
        if (own.length) body.series = { [OWN]: own };
      } catch (error) {
        this.notice.say(error.message, "error");
        return;
      }
      this.#answer = await post("/predict", body);
      this.#draw();
    });
  }

  /** The place of the chosen series in the answer. */
  get #chosen() {
    return Math.max(0, this.#answer.ids.indexOf(this.series?.value));
  }

  /** Return as much of the past as leaves room for the fan. */
  #recent(k) {
    const { past, past_times, times } = this.#answer;
    const most = (this.plot.node.clientWidth < NARROW ? 3 : 8) * Math.max(times[k].length, LEAST_AHEAD);
    return { past: past[k].slice(-most), times: past_times[k].slice(-most) };
  }

  #draw() {
    const answer = this.#answer;
    if (!answer) return;
    const k = this.#chosen;
    this.#seen = this.#recent(k);
    const { past, times } = this.#seen;
    // From the last value seen, so that the fan opens from what is known.
    const last = past.at(-1);
    const bands = pairsOf(answer.levels).map(([low, high]) => ({
      from: past.length - 1,
      low: [last, ...answer.quantiles[k].map((q) => q[low])],
      high: [last, ...answer.quantiles[k].map((q) => q[high])],
    }));
    this.plot.show({
      x: [...times, ...answer.times[k]],
      bands,
      lines: [
        { values: past, kind: "past" },
        { values: [last, ...answer.point[k]], from: past.length - 1, kind: "first" },
      ],
    });
    this.#explain(answer, k);
  }

  #explain(answer, k) {
    const { levels } = answer;
    const bands = pairsOf(levels).map(([low, high], i) =>
      el("li", {}, el("span", { class: "swatch band", style: { "--depth": i + 1 }, "aria-hidden": "true" }), `${percent(levels[high] - levels[low])}${i ? "" : " of what may come"}`),
    );
    this.legend.replaceChildren(
      el("li", {}, el("span", { class: "swatch past", "aria-hidden": "true" }), answer.ids[k]),
      el("li", {}, el("span", { class: "swatch first", "aria-hidden": "true" }), "forecast"),
      ...bands,
    );
    const heads = ["when", "forecast", ...levels.map((level) => percent(level))];
    const rows = answer.times[k].map((time, h) => [timeText(time), ...[answer.point[k][h], ...answer.quantiles[k][h]].map((v) => short(v))]);
    this.table.replaceChildren(
      el(
        "table",
        { class: "numbers" },
        el("caption", {}, `${answer.ids[k]}: the forecast and its quantiles`),
        el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, ...rows.map(([first, ...rest]) => el("tr", {}, el("th", { scope: "row" }, first), ...rest.map((cell) => el("td", {}, cell))))),
      ),
    );
  }

  #describe(k) {
    const { ids, point, quantiles, times, levels } = this.#answer;
    const s = this.#chosen;
    const seen = this.#seen;
    if (k < seen.past.length) return `${timeText(seen.times[k])}: ${ids[s]} was ${short(seen.past[k])}`;
    const h = k - seen.past.length;
    const widths = pairsOf(levels).map(([low, high]) => {
      const [a, b] = [quantiles[s][h][low], quantiles[s][h][high]];
      return `${percent(levels[high] - levels[low])} ${short(a)} to ${short(b)}`;
    });
    return [`${timeText(times[s][h])}: forecast ${short(point[s][h])}`, ...widths].join("; ");
  }
}

/** Return the places of levels that lie as far below the middle as above, the widest first. */
export function pairsOf(levels) {
  const pairs = levels.map((level, k) => [k, levels.findIndex((other) => Math.abs(level + other - 1) < 1e-9)]);
  return pairs.filter(([low, high]) => high > low);
}
