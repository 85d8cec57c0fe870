/**
 * What came of a call, to look at.
 */
import { h } from "./dom.js";
import { bytesText, durationText } from "./format.js";
import { jsonView } from "./json.js";

/** @typedef {import("./call.js").Answer} Answer */

/** @param {Answer} answer */
export function resultView(answer) {
  const { status, statusText, milliseconds, bytes, headers, type, text } = answer;
  const facts = [durationText(milliseconds), bytesText(bytes), type].filter(Boolean);
  return h(
    "div",
    { class: "result" },
    h(
      "p",
      { class: "bar" },
      statusPill(status, statusText),
      ...facts.map((fact) => h("span", { class: "fact" }, fact)),
    ),
    headersView(headers),
    bodyView(text, bytes),
  );
}

/** @param {number} status @param {string} [text] */
export function statusPill(status, text = "") {
  return h("span", { class: `status is-${Math.floor(status / 100)}xx` }, `${status} ${text}`.trim());
}

/** @param {[string, string][]} headers */
export function headersView(headers) {
  const pairs = headers.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
  const count = headers.length === 1 ? "1 header" : `${headers.length} headers`;
  return h("details", { class: "headers" }, h("summary", {}, count), h("dl", {}, ...pairs));
}

/** @param {string | null} text @param {number} bytes */
function bodyView(text, bytes) {
  if (bytes === 0) {
    return h("p", { class: "hint" }, "No body.");
  }
  return text === null ? h("p", { class: "hint" }, "The body is no text.") : jsonView(text);
}

/** @param {unknown} error Why there is no answer. */
export function failureView(error) {
  const isAbort = error instanceof DOMException && error.name === "AbortError";
  const text = isAbort ? "Cancelled." : `No answer: ${error instanceof Error ? error.message : error}`;
  return h("div", { class: "result" }, h("p", { class: isAbort ? "hint" : "fault" }, text));
}
