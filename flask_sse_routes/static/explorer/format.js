/**
 * Sizes, times and counts as people read them.
 */

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** @param {number} count */
export function countText(count) {
  return number.format(count);
}

/** @param {number} bytes */
export function bytesText(bytes) {
  if (bytes < 1000) {
    return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  }
  return bytes < 1e6 ? `${number.format(bytes / 1e3)} kB` : `${number.format(bytes / 1e6)} MB`;
}

/** @param {number} milliseconds */
export function durationText(milliseconds) {
  return milliseconds < 1000
    ? `${Math.round(milliseconds)} ms`
    : `${number.format(milliseconds / 1000)} s`;
}

/** The time of day, to the millisecond. @param {number} time Milliseconds since 1970. */
export function timeText(time) {
  const date = new Date(time);
  const pad = (/** @type {number} */ value, width = 2) => String(value).padStart(width, "0");
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${pad(hours)}:${pad(minutes)}:${pad(seconds)}.${pad(date.getMilliseconds(), 3)}`;
}
