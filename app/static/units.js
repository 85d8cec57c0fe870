// How fast data flow.
import { bytes } from "./format.js";

/** Bytes per second. */
export function rate(value, digits = 1) {
  return `${bytes(value, digits)}/s`;
}

/** The top of an axis for so many bytes per second: the next power of two, and no less than 64 KiB. */
export function rateTop(most) {
  return 2 ** Math.ceil(Math.log2(Math.max(most, 65536)));
}
