/** What a response says: its value, or the error that it is. */
import { noAnswer, problemError, RouteError } from "./errors.js";
import { parsed } from "./values.js";

/** Bytes of a refusal that are read, and how long they may take to come. */
const MAX_PROBLEM = 256 * 1024;
const PROBLEM_TIME = 10_000;

/** The media type without its parameters. */
export function mediaType(response: Response): string {
  const [type = ""] = (response.headers.get("Content-Type") ?? "").split(";");
  return type.trim().toLowerCase();
}

/** The error that a refusal is; its body is read, within bounds. */
export async function refusal(response: Response): Promise<RouteError> {
  const title = response.statusText || `HTTP ${response.status}`;
  const isJson = /^application\/(.+\+)?json$/.test(mediaType(response));
  const text = await boundedText(response);
  return problemError(isJson ? parsed(text) : null, response.status, title);
}

/** The value of an answer: parsed JSON, text, or a `Blob` of anything else. */
export async function valueOf(response: Response): Promise<unknown> {
  const type = mediaType(response);
  if (/^application\/(.+\+)?json$/.test(type)) return jsonOf(response);
  if (response.status === 204 || response.status === 205) return null;
  return type.startsWith("text/") ? response.text() : response.blob();
}

async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw noAnswer("Broken JSON", `${response.url} answered with what is no JSON.`, cause);
  }
}

async function boundedText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const giveUp = (): void => void reader.cancel().catch(() => undefined);
  const timer = setTimeout(giveUp, PROBLEM_TIME);
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (text.length < MAX_PROBLEM) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
    }
    giveUp();
  } catch {
    // The status alone is told then.
  } finally {
    clearTimeout(timer);
  }
  return text;
}
