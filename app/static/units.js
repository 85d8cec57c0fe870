// Amounts of memory and data, in powers of 1,024.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1572864 is 1.5 MiB. */
export function binary(value, digits = 1) {
  const step = value < 1024 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), UNITS.length - 1);
  return `${(value / 1024 ** step).toFixed(step ? digits : 0)} ${UNITS[step]}`;
}

/** Bytes per second. */
export function rate(value, digits = 1) {
  return `${binary(value, digits)}/s`;
}

/** The top of an axis for so many bytes per second: the next power of two, and no less than 64 KiB. */
export function rateTop(most) {
  return 2 ** Math.ceil(Math.log2(Math.max(most, 65536)));
}
