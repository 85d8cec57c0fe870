/**
 * One call of an http route, and what came of it.
 */

/** @typedef {import("./request.js").Asked} Asked */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {string} statusText
 * @property {number} milliseconds From the request to the last byte.
 * @property {number} bytes
 * @property {[string, string][]} headers
 * @property {string} type The media type, without parameters.
 * @property {string | null} text Null where it is no text.
 */

const TEXT = /^text\/|[/+](json|xml|javascript|x-www-form-urlencoded|x-ndjson)$/;

/**
 * Send a request. Rejects where there is no answer.
 *
 * @param {Asked} asked
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export async function call(asked, signal) {
  const { method, url, headers, body } = asked;
  const start = performance.now();
  const response = await fetch(url, { method, headers, body, signal, cache: "no-store" });
  const bytes = await response.arrayBuffer();
  const milliseconds = performance.now() - start;
  const type = (response.headers.get("Content-Type") ?? "").split(";")[0]?.trim() ?? "";
  return {
    status: response.status,
    statusText: response.statusText,
    milliseconds,
    bytes: bytes.byteLength,
    headers: [...response.headers],
    type,
    text: TEXT.test(type) || bytes.byteLength === 0 ? new TextDecoder().decode(bytes) : null,
  };
}

/**
 * The faults that a problem document names.
 *
 * @param {Answer} answer
 * @returns {import("./form.js").Fault[]}
 */
export function faultsOf(answer) {
  if (answer.status !== 422 || answer.text === null) {
    return [];
  }
  try {
    const { errors } = JSON.parse(answer.text);
    return Array.isArray(errors) ? errors : [];
  } catch {
    return [];
  }
}
