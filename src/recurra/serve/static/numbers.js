// Numbers and symbols as people read them.

const percentages = new Intl.NumberFormat("en", { maximumSignificantDigits: 2, style: "percent" });

/** Return a probability as a percentage of two digits: "12 %", "0.34 %", "< 0.001 %". */
export function percent(p) {
  if (p > 0 && p < 1e-5) return "< 0.001 %";
  // Two digits of 99.96 % would be a certainty that it is not.
  if (p < 1 && p > 0.99) return `${Math.min(99.99, Math.round(p * 1e4) / 100)} %`;
  return percentages.format(p).replace("%", " %");
}

/** Return a number of a few digits, with a power of ten where it is very small or large. */
export function short(value, digits = 4) {
  if (value === null || !Number.isFinite(value)) return "none";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e7)) return power(value);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: digits }).format(value).replace("-", "−");
}

function power(value) {
  const [mantissa, exponent] = value.toExponential(1).split("e");
  const raised = [...exponent.replace("+", "")].map((digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]);
  return `${mantissa.replace("-", "−")} × 10${raised.join("")}`;
}

/** Return a whole number with its thousands apart. */
export const count = (value) => new Intl.NumberFormat("en").format(value);

/** Return up to `most` + 1 round numbers from `low` to `high`. */
export function ticks(low, high, most = 5) {
  const rough = (high - low) / most || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => (first + k) * step);
}

/** Return a symbol as it can be seen: spaces and line ends have signs, "" is the end. */
export function shown(symbol) {
  if (symbol === "") return "end";
  return symbol.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
}

/** Return the numbers of a text, set apart by spaces, commas, semicolons or lines. */
export function readNumbers(text) {
  const parts = text.split(/[\s,;]+/).filter(Boolean);
  const wrong = parts.find((part) => !Number.isFinite(Number(part)));
  if (wrong !== undefined) throw new RangeError(`“${wrong.slice(0, 20)}” is no number: write numbers with spaces between.`);
  return parts.map(Number);
}
