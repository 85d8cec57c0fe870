/** Texts that may be JSON. */

/** The value of a JSON text, or the text itself where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
