/** Texts that may be JSON. */
/** The value of a JSON text, or the text itself where it is none. */
export function parsed(text) {
    try {
        return JSON.parse(text);
    }
    catch {
        return text;
    }
}
