// Questions to the server, in the page's language. Nothing is computed on this side.

import { t } from "./texts.js";

/** The answer to a GET (no body) or a POST; an error carries the server's sentence. */
export async function ask(path, body) {
  let response;
  try {
    response = await fetch(`${path}?lang=${document.documentElement.lang}`, body === undefined ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error(t("page.no_answer"));
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/**
 * A function that may be called at any rate, while dragging for one: at most one question is under way, and of those that come
 * meanwhile only the last is asked. `question` is put together when it is asked.
 */
export function latest(question, receive, fail = () => {}) {
  let running = false;
  let waiting = null;
  async function call(...parameters) {
    if (running) {
      waiting = parameters;
      return;
    }
    running = true;
    try {
      receive(await question(...parameters), ...parameters);
    } catch (error) {
      fail(error);
    } finally {
      running = false;
    }
    if (waiting) {
      const next = waiting;
      waiting = null;
      call(...next);
    }
  }
  /** Whether something was asked since: then the answer at hand is of yesterday. */
  call.outdated = () => waiting !== null;
  call.busy = () => running;
  return call;
}
