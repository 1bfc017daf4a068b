// Scales of colour that are even to the eye, for light and dark paper.
// Made in OKLCH (Ottosson 2020), where equal steps of lightness look equal; blue and orange are
// told apart by the colour-blind, and lightness alone tells a sequential scale.

const STEPS = 256;
const kept = new Map();

/** Return whether the page is dark now. */
export function isDark() {
  const own = document.documentElement.dataset.theme;
  return own ? own === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Return the colour [r, g, b] of t from 0, which is near the paper's, to 1. */
export function sequential(t) {
  return scale("sequential", ramp)[clamp(Math.round(t * (STEPS - 1)))];
}

/** Return the colour [r, g, b] of t from −1, orange, over 0, the paper's, to 1, blue. */
export function diverging(t) {
  return scale("diverging", fork)[clamp(Math.round((t + 1) * 0.5 * (STEPS - 1)))];
}

/** Return a CSS gradient of a scale over the values `from` to 1, to stand in a legend. */
export function gradient(colour, from) {
  const stops = Array.from({ length: 17 }, (_, k) => `rgb(${colour(from + ((1 - from) * k) / 16).join(" ")})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

const clamp = (k) => Math.min(STEPS - 1, Math.max(0, k));

function scale(name, make) {
  const dark = isDark();
  const key = `${name}-${dark}`;
  if (!kept.has(key)) kept.set(key, Array.from({ length: STEPS }, (_, k) => make(k / (STEPS - 1), dark)));
  return kept.get(key);
}

function ramp(t, dark) {
  const bell = Math.sin(Math.PI * Math.min(1, 0.12 + 0.8 * t));
  return dark
    ? rgb(0.27 + 0.66 * t, 0.03 + 0.1 * bell * t ** 0.5, 265 - 75 * t)
    : rgb(0.955 - 0.665 * t, 0.012 + 0.12 * bell * t ** 0.5, 215 + 50 * t);
}

function fork(u, dark) {
  const v = 2 * u - 1;
  const much = Math.abs(v);
  const hue = v < 0 ? 52 : 248;
  return dark
    ? rgb(0.25 + 0.5 * much, 0.008 + 0.125 * much, hue)
    : rgb(0.965 - 0.44 * much, 0.004 + 0.13 * much, hue);
}

function rgb(lightness, chroma, hue) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map(encoded);
}

function encoded(linear) {
  const value = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
