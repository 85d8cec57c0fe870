// Values as people read them.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const NUMBER = new Intl.NumberFormat("en");
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A `<time>` with the time of day; the date is its title. */
export function clock(iso) {
  return time(iso, CLOCK);
}

/** A `<time>` with hour and minute; with the date, where that is another day. */
export function moment(iso) {
  const isToday = new Date(iso).toDateString() === new Date().toDateString();
  return time(iso, isToday ? MINUTE : MOMENT);
}

function time(iso, format) {
  const at = new Date(iso);
  const made = document.createElement("time");
  made.dateTime = iso;
  made.textContent = format.format(at);
  made.title = at.toLocaleString();
  return made;
}

/** 12345.6 is 12,345.6; `digits` fixes how many follow the point. */
export function number(value, digits) {
  if (digits === undefined) return NUMBER.format(value);
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** 1572864 is 1.5 MiB. */
export function bytes(value, digits = 1) {
  const step = value < 1024 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), UNITS.length - 1);
  return `${(value / 1024 ** step).toFixed(step ? digits : 0)} ${UNITS[step]}`;
}

export function percent(value, digits = 0) {
  return `${value.toFixed(digits)} %`;
}

/** Seconds as 5 s, 3 min 20 s, 2 h 5 min or 4 d 3 h. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
