/**
 * One open stream: what state it is in, and what it has counted.
 */
import { connect } from "../client.js";
import { BASE } from "./catalogue.js";

/** @typedef {import("./catalogue.js").Route} Route */
/** @typedef {"connecting" | "open" | "waiting" | "ended" | "failed" | "closed"} State */
/** @typedef {{ event: string, data: unknown, id: string }} Told */
/** @typedef {Error & { status?: number, detail?: string, errors?: import("./form.js").Fault[] }} Failure */

/**
 * @typedef {object} Listener
 * @property {() => void} changed The state is another one.
 * @property {(event: Told) => void} told
 */

// Milliseconds for the text of a refusal to come.
const READING = 300;

export class Stream {
  /** @type {State} */
  state = "connecting";
  /** @type {Failure | null} */
  failure = null;
  /** @type {string} Why it is in this state, where there is more to say. */
  reason = "";
  events = 0;
  bytes = 0;
  attempts = 0;
  status = 0;
  /** @type {[string, string][]} */
  headers = [];
  #connection;
  #listener;

  /**
   * Open it.
   *
   * @param {Route} route
   * @param {any} input
   * @param {() => Record<string, string>} headers
   * @param {Listener} listener
   */
  constructor(route, input, headers, listener) {
    this.#listener = listener;
    const client = connect(BASE.href, { headers, fetch: (url, init) => this.#fetch(url, init) });
    /** @type {any} */
    let open = client.$sse;
    for (const part of route.name.split(".")) {
      open = open[part];
    }
    this.#connection = open(input, {
      onOpen: () => this.#become("open"),
      onEvent: (/** @type {Told} */ event) => this.#tell(event),
      onEnd: (/** @type {unknown} */ data) => this.#ended(data),
      onError: (/** @type {Failure} */ error) => this.#failed(error),
    });
  }

  get reconnects() {
    return Math.max(0, this.attempts - 1);
  }

  get lastEventId() {
    return this.#connection?.lastEventId ?? "";
  }

  get isOver() {
    return ["ended", "failed", "closed"].includes(this.state);
  }

  close() {
    this.#connection.close();
    if (!this.isOver) {
      this.#become("closed");
    }
  }

  /**
   * @param {RequestInfo | URL} url
   * @param {RequestInit} [init]
   */
  async #fetch(url, init) {
    this.attempts += 1;
    this.#become("connecting");
    try {
      const response = await fetch(url, init);
      this.status = response.status;
      this.headers = [...response.headers];
      const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
      if (response.ok && response.body && isStream) {
        const refused = response.headers.get("SSE-Refused");
        Object.defineProperty(response, "body", { value: this.#counted(response.body, refused) });
      } else {
        this.#waitUnlessOver(`The server answered ${response.status}.`, READING);
      }
      return response;
    } catch (error) {
      this.#waitUnlessOver("The server could not be reached.");
      throw error;
    }
  }

  /**
   * The body of a response, with its bytes counted and its end noted.
   *
   * @param {ReadableStream<Uint8Array>} body
   * @param {string | null} refused
   */
  #counted(body, refused) {
    const reader = body.getReader();
    const why = refused ? `The server refuses for now: ${refused}.` : "The connection was lost.";
    const lost = () => this.#waitUnlessOver(why);
    return new ReadableStream({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (done) {
            controller.close();
            lost();
          } else {
            this.bytes += value.byteLength;
            controller.enqueue(value);
          }
        } catch (error) {
          controller.error(error);
          lost();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  /**
   * The client decides whether it comes back; that is known only a moment later.
   *
   * @param {string} why
   * @param {number} [moment] Milliseconds.
   */
  #waitUnlessOver(why, moment = 20) {
    const { attempts } = this;
    setTimeout(() => {
      if (!this.isOver && this.#connection.readyState === 0 && this.attempts === attempts) {
        this.#become("waiting", why);
      }
    }, moment);
  }

  /** @param {Told} event */
  #tell(event) {
    this.events += 1;
    this.#listener.told(event);
  }

  /** @param {unknown} data Undefined where the server only said that there is no more. */
  #ended(data) {
    if (data !== undefined) {
      this.#tell({ event: "end", data, id: "" });
    }
    this.#become("ended");
  }

  /** @param {Failure} error */
  #failed(error) {
    if (this.#connection && this.#connection.readyState !== 2) {
      this.reason = error.message;
      return;
    }
    this.failure = error;
    this.#become("failed", error.detail || error.message);
  }

  /** @param {State} state @param {string} [reason] */
  #become(state, reason = "") {
    if (this.isOver) {
      return;
    }
    this.state = state;
    this.reason = reason;
    this.#listener.changed();
  }
}
