// How a text is cut into the pieces that are pushed to a stream, and how they become one again.

/** What a model reads: by characters, by words (a text), or by symbols (a list). */
export function cutting(model) {
  if (model.kind === "symbols") return SYMBOLS;
  return model.tokens === "word" || model.tokens === "bpe" ? WORDS : CHARACTERS;
}

/** A text as an input of the model: itself, or the list of its symbols. */
export function whole(model, text) {
  return model.kind === "symbols" ? words(text) : text;
}

/** What is said beside a field for such a text. */
export function hintOf(model) {
  return model.kind === "symbols" ? "Symbols with spaces between." : "";
}

/** A text as the server reads it: composed characters, no half ones. */
export function composed(text) {
  const whole = text.toWellFormed ? text.toWellFormed() : text;
  return whole.normalize("NFC");
}

const words = (text) => composed(text).split(/\s+/).filter(Boolean);

const CHARACTERS = {
  unit: "character",
  cut: (text) => Array.from(composed(text)),
  join: (pieces) => pieces.join(""),
  complete: () => true,
  width: () => 26,
};

const WORDS = {
  unit: "word",
  cut: words,
  join: (pieces) => pieces.join(" "),
  complete: (text) => text === "" || /\s$/.test(text),
  width: (longest) => Math.min(112, 14 + 7.5 * longest),
};

const SYMBOLS = { ...WORDS, unit: "symbol", join: (pieces) => pieces };
