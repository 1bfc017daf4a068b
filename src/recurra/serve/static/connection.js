// One WebSocket for all streams, opened when it is needed and opened again when it is lost.

import { ApiError, told } from "./api.js";

const FIRST_WAIT = 500; // milliseconds; doubled at each failure
const LONGEST_WAIT = 15000;

/** Sends requests and gives each its reply. */
export class Connection {
  #socket = null;
  #opening = null;
  #waiting = new Map();
  #tag = 0;
  #failures = 0;

  /** `onstate("lost", seconds)` says when it is tried again, `onstate("open")` that it is back. */
  constructor(path, onstate) {
    this.url = new URL(path, location.href);
    this.url.protocol = this.url.protocol === "https:" ? "wss:" : "ws:";
    this.onstate = onstate;
  }

  /** Return the reply to a request. Throws the server's error; code "connection" if it was lost. */
  async request(message) {
    const socket = await this.#open();
    const tag = String(++this.#tag);
    return new Promise((resolve, reject) => {
      this.#waiting.set(tag, { resolve, reject });
      socket.send(JSON.stringify({ ...message, tag }));
    });
  }

  /** Send a request whose reply is of no interest, if there is a connection. */
  mention(message) {
    if (this.#socket) this.#socket.send(JSON.stringify({ ...message, tag: "none" }));
  }

  async #open() {
    if (this.#socket) return this.#socket;
    this.#opening ??= this.#connect().finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** Try until there is a connection. */
  async #connect() {
    for (;;) {
      const socket = await this.#attempt();
      if (socket) {
        if (this.#failures) this.onstate("open");
        this.#failures = 0;
        this.#socket = socket;
        return socket;
      }
      const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
      this.onstate("lost", wait / 1000);
      await new Promise((resolve) => {
        setTimeout(resolve, wait);
        addEventListener("online", resolve, { once: true });
      });
    }
  }

  #attempt() {
    return new Promise((resolve) => {
      const socket = new WebSocket(this.url);
      socket.onopen = () => resolve(socket);
      socket.onmessage = (event) => this.#replied(JSON.parse(event.data));
      socket.onclose = () => {
        resolve(null); // if it never opened
        if (socket === this.#socket) this.#lost();
      };
    });
  }

  #replied(reply) {
    const waiting = this.#waiting.get(reply.tag);
    this.#waiting.delete(reply.tag);
    if (!waiting) return;
    if (reply.error) waiting.reject(told(reply.error, reply.status));
    else waiting.resolve(reply);
  }

  #lost() {
    this.#socket = null;
    this.#failures = 1;
    this.onstate("lost", 0);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) {
      reject(new ApiError("The connection to the server was lost.", "connection"));
    }
  }
}
