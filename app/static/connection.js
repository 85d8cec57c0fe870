// The streams of this page: how each is doing, in its panel and in the header.
import { find, make } from "./dom.js";
import { words } from "./form.js";
import { startAgain } from "./session.js";

const WORDS = {
  ready: "Ready",
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  ended: "Finished",
  refused: "Stopped",
  closed: "Closed",
};
// The state of the page is the first of these that a stream has.
const WORST_FIRST = ["refused", "reconnecting", "connecting", "live", "ended"];

const streams = new Map();
let hasHadTrouble = false;

class Followed {
  constructor(key, label, open, { onState, ...handlers }) {
    Object.assign(this, { key, open, handlers, onState });
    this.state = { name: "connecting" };
    this.hasBeenLive = false;
    this.row = row(key, label);
    this.start(handlers.lastEventId);
  }

  start(lastEventId) {
    const { handlers } = this;
    this.connection = this.open({
      ...handlers,
      lastEventId,
      onOpen: () => {
        this.hasBeenLive = true;
        this.become({ name: "live" });
        handlers.onOpen?.();
      },
      onRetry: (retry) => {
        this.become({ name: "reconnecting", error: retry.error, until: Date.now() + retry.delay, attempt: retry.attempt });
        handlers.onRetry?.(retry);
      },
      onError: (error) => {
        if (this.connection.readyState === 2) this.refuse(error);
        handlers.onError?.(error);
      },
      onEnd: (data) => {
        this.become({ name: "ended" });
        handlers.onEnd?.(data);
      },
    });
  }

  /** Go on at once where it was left, instead of waiting. */
  hurry() {
    if (this.state.name !== "reconnecting") return;
    const { lastEventId } = this.connection;
    this.connection.close();
    this.become({ name: "connecting" });
    this.start(lastEventId);
  }

  close() {
    if (this.state.name === "closed") return;
    this.connection.close();
    this.become({ name: "closed" });
    this.row.remove();
    if (streams.get(this.key) === this) streams.delete(this.key);
    show();
  }

  /** A stream that was let in before has lost its session: the page begins anew, without it. */
  refuse(error) {
    this.become({ name: "refused", error });
    if (this.hasBeenLive && [401, 403].includes(error.status)) startAgain();
  }

  become(state) {
    if (this.state.name === "closed") return;
    this.state = state;
    this.onState?.(state);
    show();
  }
}

/**
 * Open a stream, `open(options)`, with handlers as `$sse` takes them, and keep the elements
 * `[data-stream=key]` and the header up to date; `onState(state)` hears of changes. A stream that was
 * followed by the same key is closed.
 */
export function follow(key, label, open, handlers = {}) {
  streams.get(key)?.close();
  const followed = new Followed(key, label, open, handlers);
  streams.set(key, followed);
  find("#connection ul").append(followed.row);
  show();
  return followed;
}

/** How a state is told: `Reconnecting in 3 s`. */
function told(state) {
  const seconds = Math.ceil((state.until - Date.now()) / 1000);
  return seconds > 0 ? `${WORDS[state.name]} in ${seconds} s` : WORDS[state.name];
}

/** Why a stream is not live, as elements; a stream that needs a session links to where one begins. */
function reason({ name, error }) {
  if (!error) return [];
  if (error.status !== 401 || name !== "refused") return [words(error)];
  const address = `/login?next=${encodeURIComponent(location.pathname)}`;
  return [`${words(error)} `, make("a", { href: address }, "Sign in")];
}

function show() {
  for (const { key, state } of streams.values()) {
    for (const pill of marked("stream", key)) mark(pill, state);
    for (const place of marked("why", key)) explain(place, state);
  }
  showAll();
}

function marked(name, key) {
  return document.querySelectorAll(`[data-${name}="${CSS.escape(key)}"]`);
}

function mark(pill, state) {
  pill.dataset.state = state.name;
  say(pill, told(state));
}

function explain(place, state) {
  const why = make("span", {}, ...reason(state));
  place.hidden = !why.textContent;
  if (place.textContent !== why.textContent) place.replaceChildren(...why.childNodes);
}

/** Text that is the same is left alone: a screen reader would say it again. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The light in the header: as bad as the worst of the streams. */
function showAll() {
  const menu = find("#connection");
  const all = [...streams.values()];
  const worst = WORST_FIRST.map((name) => all.find(({ state }) => state.name === name)).find(Boolean);
  const state = worst?.state ?? { name: "ready" };
  find("summary", menu).dataset.state = state.name;
  say(find(".words", menu), worst ? told(state) : "No stream");
  find(".sheet > p", menu).hidden = all.length > 0;
  find("#hurry").hidden = state.name !== "reconnecting";
  announce(state.name);
}

/** Aloud, but only what is out of the ordinary, and that it is over. */
function announce(name) {
  hasHadTrouble ||= ["reconnecting", "refused"].includes(name);
  if (hasHadTrouble) say(find("#announcement"), WORDS[name]);
}

/** A stream in the header's list; its parts are kept up to date like those of a panel. */
function row(key, label) {
  const pill = make("span", { class: "state", data: { stream: key } });
  return make("li", {}, make("span", {}, label), pill, make("p", { class: "why", data: { why: key }, hidden: true }));
}

function hurry() {
  for (const followed of [...streams.values()]) followed.hurry();
}

addEventListener("online", hurry);
find("#hurry").addEventListener("click", () => {
  hurry();
  find("#connection summary").focus();
});

// The count-down.
setInterval(() => {
  if ([...streams.values()].some(({ state }) => state.until)) show();
}, 500);
