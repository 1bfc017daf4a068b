// Commands that ask this server's model, in the form that it learned.

/** Return {title, text, command} for each thing that the model does at once. */
export function examplesOf(model) {
  const made = { generate: [generate], predict: model.task === "Forecaster" ? [ahead, ownSeries] : [predict], flow: [flow] };
  return model.takes.flatMap((each) => made[each] ?? []).map((make) => make(model));
}

/** Return the commands of a stream's life. */
export function streamExamples(model) {
  const [first, second] = pieces(model);
  const push = (step, piece) => ({ step, piece });
  return [
    { title: "Open", text: "The answer has the stream's id.", command: post("/streams", label(model)) },
    { title: "Push", text: "The answer is what the model says after this piece. With \"show\": [\"state\"] the hidden state comes with it.", command: post("/streams/ID/steps", push(1, first)) },
    { title: "Push on", text: "The next step.", command: post("/streams/ID/steps", push(2, second)) },
    { title: "Save the state", text: "A text in base64; POST /streams with {\"state\": …} goes on from it.", command: `curl ${location.origin}/streams/ID/state` },
    { title: "Close", text: "", command: `curl -X DELETE ${location.origin}/streams/ID` },
    {
      title: "Over a WebSocket",
      text: "Many streams share one connection. A message is a request, or a list of requests; the reply has the same form. A tag comes back as it was given. Streams outlive the connection.",
      command: [
        `${location.origin.replace(/^http/, "ws")}/streams/ws`,
        ...[{ op: "open", ...label(model), tag: "a" }, { op: "push", stream: "ID", ...push(1, first) }, { op: "close", stream: "ID" }].map((message) => JSON.stringify(message)),
      ].join("\n"),
    },
  ];
}

function generate(model) {
  const { starts, conditions } = model;
  const known = starts?.[conditions?.[0] ?? ""]?.find((start) => start);
  const prefix = model.kind === "text" && known ? { prefix: known } : {};
  const steps = model.kind === "numbers" ? {} : { steps: true };
  return {
    title: "Generate",
    text: "New sequences; with \"steps\", the probability of each symbol too. A seed makes them the same every time.",
    command: post("/generate", { ...label(model), ...prefix, n: 5, temperature: 0.8, seed: 1, ...steps }),
  };
}

function predict(model) {
  const said = model.classes ? "The likeliest class, and the probability of each." : "An answer for each input.";
  return { title: "Predict", text: `${said} Write your own inputs in.`, command: post("/predict", { inputs: [input(model)], ...label(model) }) };
}

function ahead(model) {
  return { title: "Forecast", text: "What follows the series that the model learned.", command: post("/predict", { horizon: model.horizon }) };
}

function ownSeries() {
  return { title: "Forecast other numbers", text: "Newer values, the oldest first; more than this are needed.", command: post("/predict", { series: { mine: [31, 28, 35, 33] } }) };
}

function flow(model) {
  return {
    title: "Gradient flow",
    text: "The norm of the gradient of each loss at each earlier state: norms[layer][loss][state].",
    command: post("/flow", { input: input(model), ...label(model) }),
  };
}

const label = (model) => (model.conditions && model.task !== "Captioner" ? { condition: model.conditions[0] } : {});

function input(model) {
  if (model.shape) return Array.from({ length: 2 }, () => [0.0, 0.5]);
  return pieces(model).reduce((a, b) => (typeof a === "string" ? (model.tokens === "char" ? a + b : `${a} ${b}`) : [...a, ...b]));
}

/** Return two pieces of an input. */
function pieces(model) {
  if (model.blank) return ["The", `${model.blank} was good`];
  if (model.kind === "numbers") return [[0.1], [0.2]];
  const start = Object.values(model.starts ?? {})[0]?.find((each) => each);
  if (model.kind === "symbols") return start ? [[start], [start]] : [["the"], ["room"]];
  if (model.tokens === "char") return [start ?? "a", "n"];
  return ["the room", "was good"];
}

/** Return the command that posts a body; a shell reads it as it stands. */
function post(path, body) {
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl ${location.origin}${path} \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
}
