/**
 * JSON to look at: indented, its parts told apart by colour, as it was sent to the last digit.
 */
import { h } from "./dom.js";

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;
// Beyond these sizes (characters), colours and indentation cost more than they help.
const COLOURED = 60_000;
const SHOWN = 1_000_000;

/**
 * @param {string} text
 * @returns {HTMLPreElement} The text itself where it is no JSON.
 */
export function jsonView(text) {
  const element = h("pre", { class: "json", tabindex: 0 });
  const cut = text.length > SHOWN ? `${text.slice(0, SHOWN)}\n… ${text.length - SHOWN} more` : text;
  element.append(isJson(text) && text.length <= SHOWN ? coloured(indented(text)) : cut);
  return element;
}

/**
 * A value on one line if it is short, else on several.
 *
 * @param {any} value
 * @param {number} width
 */
export function valueText(value, width) {
  if (typeof value === "string") {
    return value;
  }
  const line = indented(JSON.stringify(value) ?? "undefined").replace(/\n\s*/g, " ");
  return line.length <= width ? line : JSON.stringify(value, null, 2);
}

/**
 * The parts of a JSON text, as elements that differ by class.
 *
 * @param {string} text
 * @returns {Node}
 */
export function coloured(text) {
  const fragment = document.createDocumentFragment();
  if (text.length > COLOURED) {
    fragment.append(text);
    return fragment;
  }
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const kind = kindOf(match[0], text, match.index + match[0].length);
    if (kind) {
      fragment.append(text.slice(end, match.index), h("span", { class: kind }, match[0]));
      end = match.index + match[0].length;
    }
  }
  fragment.append(text.slice(end));
  return fragment;
}

/** @param {string} token @param {string} text @param {number} end */
function kindOf(token, text, end) {
  if (token.startsWith('"')) {
    return text[end] === ":" ? "j-key" : "j-string";
  }
  if (/[{}[\],:]/.test(token)) {
    return "";
  }
  return /^[tfn]/.test(token) ? "j-word" : "j-number";
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Lay out a JSON text without reading its values: large numbers stay as they are. @param {string} text */
function indented(text) {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const tokens = text.match(TOKENS) ?? [];
  return tokens.map((token, index) => {
    if (token === "{" || token === "[") {
      depth += 1;
      return /^[}\]]$/.test(tokens[index + 1] ?? "") ? token : token + line();
    }
    if (token === "}" || token === "]") {
      depth -= 1;
      return /^[{[]$/.test(tokens[index - 1] ?? "") ? token : line() + token;
    }
    return token === "," ? token + line() : token === ":" ? ": " : token;
  }).join("");
}
