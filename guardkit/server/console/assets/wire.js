// Requests to this server: JSON both ways, with the word that says they come from this page.

const csrf = document.querySelector('meta[name="guardkit-csrf"]').content;

/** What a request came to where it is no answer: `code` for programs, `message` for people. */
export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function asked(path, options) {
  let reply;
  try {
    reply = await fetch(path, { ...options, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "no_answer", "the server does not answer");
  }
  if (reply.status === 204) return null;
  const said = await reply.json().catch(() => null);
  if (reply.ok && said !== null) return said;
  if (reply.status === 401) location.reload();
  throw new Refused(reply.status, said?.code ?? "", said?.message ?? `the server said ${reply.status}`);
}

export const get = (path, signal) => asked(path, { signal });

export const post = (path, body, signal) =>
  asked(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-guardkit-csrf": csrf },
    body: JSON.stringify(body ?? {}),
    signal,
  });

/** Ask again and again while the page is looked at; slower while nobody answers. */
export function every(ms, ask) {
  let timer = 0;
  let failed = 0;
  let over = false;
  const stop = new AbortController();
  const lost = document.getElementById("lost");
  async function turn() {
    clearTimeout(timer);
    if (over) return;
    if (!document.hidden) {
      try {
        await ask(stop.signal);
        failed = 0;
        lost.hidden = true;
      } catch (error) {
        if (over || error.name === "AbortError") return;
        failed += 1;
        lost.textContent = `${error.message}. What you see is old; trying again.`;
        lost.hidden = false;
      }
    }
    timer = setTimeout(turn, ms * Math.min(2 ** failed, 8));
  }
  const seen = () => !document.hidden && turn();
  document.addEventListener("visibilitychange", seen);
  turn();
  return {
    now: turn,
    end() {
      over = true;
      stop.abort();
      clearTimeout(timer);
      lost.hidden = true;
      document.removeEventListener("visibilitychange", seen);
    },
  };
}
