// What a model said after each piece of a text: kept step by step, so that deleting goes back.

const TRIES = 3;
const BUSY_WAIT = 400; // milliseconds; doubled at each try

/** Follows a text through a stream of the server's. */
export class Trail {
  #connection;
  #cutting;
  #begins;
  #wanted = [];
  #stream = null; // {id, step}; null if the next piece needs another stream
  #running = false;
  #refused = null; // the piece that the server would not read
  #epoch = 0;

  /** `begins`: whether the model says something before the first piece. */
  constructor({ connection, cutting, begins, onchange, onsay }) {
    this.#connection = connection;
    this.#cutting = cutting;
    this.#begins = begins;
    this.onchange = onchange;
    this.onsay = onsay;
    this.condition = null;
    this.steps = []; // {piece, answer, state} after each piece
    this.start = null; // {answer, state} before the first
  }

  /** Read on, or go back, until just these pieces are read. */
  follow(pieces) {
    this.#wanted = pieces;
    this.#refused = null;
    this.onsay("");
    this.#run();
  }

  /** Begin anew, with a label if there are labels. */
  restart(condition) {
    this.#leave();
    this.#epoch++;
    this.condition = condition;
    this.steps = [];
    this.start = null;
    this.onchange();
    this.follow(this.#wanted);
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let failures = 0; this.#step(); ) {
        try {
          await this.#advance();
          failures = 0;
        } catch (error) {
          failures++;
          if (!error.code) throw error;
          if (!(await this.#mended(error, failures))) break;
        }
      }
    } finally {
      this.#running = false;
      this.onchange();
    }
  }

  /** Go back to what is wanted still; return whether there is something to read. */
  #step() {
    const same = this.#wanted.findIndex((piece, k) => piece !== this.steps[k]?.piece);
    const kept = same === -1 ? this.#wanted.length : same;
    if (kept < this.steps.length) {
      this.steps.length = kept;
      this.#leave();
      this.onchange();
    }
    if (this.#refused !== null) return false;
    return kept < this.#wanted.length || (this.#begins && !this.start);
  }

  async #advance() {
    const epoch = this.#epoch;
    this.#stream ??= await this.#opened();
    if (epoch !== this.#epoch) return this.#leave();
    const first = this.#begins && !this.start;
    const piece = this.#wanted[this.steps.length];
    const said = await this.#push(this.#stream, first ? [] : [piece]);
    if (epoch !== this.#epoch) return;
    if (first) this.start = said;
    else this.steps.push({ piece, ...said });
    this.onchange();
  }

  /** Open a stream, and read to it at once what was read before. */
  async #opened() {
    const label = this.condition === null ? {} : { condition: this.condition };
    const opened = await this.#connection.request({ op: "open", ...label });
    const stream = { id: opened.stream, step: 0 };
    if (this.steps.length) await this.#push(stream, this.steps.map((step) => step.piece));
    return stream;
  }

  async #push(stream, pieces) {
    const reply = await this.#connection.request({
      op: "push",
      stream: stream.id,
      step: stream.step + 1,
      piece: this.#cutting.join(pieces),
      show: ["state"],
    });
    stream.step++;
    return { answer: reply.answer, state: packed(reply.state) };
  }

  #leave() {
    if (this.#stream) this.#connection.mention({ op: "close", stream: this.#stream.id });
    this.#stream = null;
  }

  /** Say what went wrong; return whether to go on. */
  async #mended(error, failures) {
    if (error.code === "connection") return true; // the same step again, once there is another
    if ((error.status === 409 || error.status === 404) && failures <= TRIES) {
      this.#stream = null;
      this.onsay(`${error.message} A new stream was opened, and what was typed is read again.`, "info");
      return true;
    }
    if ((error.code === "busy" || error.code === "draining") && failures <= 2 * TRIES) {
      this.onsay(error.message, "error");
      await new Promise((resolve) => setTimeout(resolve, BUSY_WAIT * 2 ** failures));
      return true;
    }
    this.#refused = this.#wanted[this.steps.length] ?? "";
    this.onsay(error.message, "error");
    return false;
  }
}

/** Return a state's lists as arrays of their own: by name, a layer each. */
function packed(state) {
  const named = Object.entries(state ?? {});
  return Object.fromEntries(named.map(([name, layers]) => [name, layers.map((h) => Float32Array.from(h))]));
}
