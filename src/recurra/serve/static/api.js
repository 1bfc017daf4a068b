// What the server is asked over HTTP, and its errors in its own words.

/** An error that the server told: `code`, `status`, and `message` in plain English. */
export class ApiError extends Error {
  constructor(message, code, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Return what a GET answers. */
export const get = (path) => ask(path, {});

/** Return what a POST of a JSON body answers. */
export const post = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError("The server does not answer: see whether it still runs.", "connection");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw told(answer?.error, response.status);
}

/** Return the error of an error reply. */
export function told(error, status) {
  if (status === 401) {
    return new ApiError(
      "This server wants a token: open the address it printed when it started, which ends in ?token=…",
      "token",
      status,
    );
  }
  const message = error?.message ?? `The server answered ${status} and said no more.`;
  return new ApiError(sentence(message), error?.code ?? "unknown", status);
}

function sentence(text) {
  const first = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
