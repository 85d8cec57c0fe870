// A log file as it grows: its newest lines, searched, held back or followed.
import { $api, $sse } from "/api/client.js";
import { Arrival } from "../arrival.js";
import { follow } from "../connection.js";
import { find, make } from "../dom.js";
import { bytes, clock, number } from "../format.js";

// Lines on the page, and those held back while it is paused.
const KEPT = 2000;
const NOTES = {
  rotated: "The file was rotated: a new one begins.",
  truncated: "The file was truncated: it begins anew.",
  missing: "The file is not there. It is waited for.",
  found: "The file is there.",
};

const panel = find("#logs");
const view = find(".log", panel);
const newer = find(".newer", panel);
const search = find(".search", panel);
const { pause, clear, copy, regex, only } = search.elements;
const [file, level] = ["file", "level"].map((name) => find(`[name=${name}]`, panel));

// What each row shows, for searching and copying.
const entries = new WeakMap();
let waiting = [];
let dropped = 0;
let startsAnew = false;
let isPaused = false;
let isAtEnd = true;
let unseen = 0;
let pattern = null;

/* Rows */

function tone(severity) {
  if (severity >= 40) return "bad";
  if (severity >= 30) return "warn";
  return severity < 20 ? "low" : "info";
}

function row(entry) {
  if (entry.note) return make("p", { class: "note" }, entry.note);
  const text = make("span", { class: entry.at ? "text" : "text whole" });
  const head = entry.at ? [clock(entry.at), make("span", { class: "level" }, entry.level)] : [];
  const made = make("p", { data: { tone: tone(entry.severity) } }, ...head, text);
  entries.set(made, entry);
  fill(made);
  return made;
}

/** Write the text of a row, with what was searched for marked. */
function fill(element) {
  const entry = entries.get(element);
  const parts = pattern ? marked(entry.message) : [entry.message];
  const source = entry.logger ? make("span", { class: "source" }, `${entry.logger}  `) : null;
  const cut = entry.cut ? make("span", { class: "cut" }, ` … ${number(entry.cut)} or more characters left out`) : null;
  find(".text", element).replaceChildren(...[source, ...parts, cut].filter((part) => part !== null));
  if (pattern) element.dataset.match = parts.length > 1 ? "yes" : "no";
  else delete element.dataset.match;
}

/** Texts and marks in turn. */
function marked(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    parts.push(text.slice(end, match.index), make("mark", {}, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}

/* What comes is shown once per frame. */

let isDrawing = false;

function receive(newEntries) {
  waiting.push(...newEntries);
  if (waiting.length > KEPT) {
    dropped += waiting.length - KEPT;
    waiting = waiting.slice(-KEPT);
  }
  if (isPaused) sayPaused();
  else if (!isDrawing) {
    isDrawing = true;
    requestAnimationFrame(draw);
  }
}

function draw() {
  isDrawing = false;
  if (isPaused) return;
  look();
  if (startsAnew) view.replaceChildren();
  if (dropped && !startsAnew) waiting.unshift({ note: `${number(dropped)} lines were too many to be shown.` });
  view.append(...waiting.map(row));
  if (!isAtEnd && !startsAnew) unseen += waiting.length;
  else goToEnd();
  waiting = [];
  dropped = 0;
  startsAnew = false;
  for (let surplus = view.children.length - KEPT; surplus > 0; surplus -= 1) view.firstElementChild.remove();
  sayNewer();
  sayFound();
}

function begin(lines, note) {
  waiting = [];
  dropped = 0;
  startsAnew = true;
  receive([...(note ? [{ note }] : []), ...lines]);
}

/* Where the reader is */

function goToEnd() {
  isAtEnd = true;
  unseen = 0;
  const scroll = () => {
    if (!isAtEnd) return;
    view.scrollTop = view.scrollHeight;
    scrolledTo = view.scrollTop;
  };
  scroll();
  // Rows get their height when they come into view.
  requestAnimationFrame(scroll);
}

let scrolledTo = 0;

/** Rows grow when they come into view: only who goes upwards leaves the end. */
function look() {
  const left = view.scrollHeight - view.scrollTop - view.clientHeight;
  if (left < 12) isAtEnd = true;
  else if (view.scrollTop < scrolledTo) isAtEnd = false;
  scrolledTo = view.scrollTop;
}

view.addEventListener("scroll", () => {
  look();
  if (isAtEnd && unseen) {
    unseen = 0;
    sayNewer();
  }
}, { passive: true });

function sayNewer() {
  newer.hidden = unseen === 0;
  newer.textContent = unseen === 1 ? "1 new line ↓" : `${number(unseen)} new lines ↓`;
}

newer.addEventListener("click", () => {
  goToEnd();
  sayNewer();
  view.focus();
});

/* Pause, clear, copy */

function sayPaused() {
  pause.setAttribute("aria-pressed", isPaused);
  const count = waiting.length + dropped;
  pause.textContent = isPaused ? `Resume (${number(count)})` : "Pause";
  pause.title = dropped ? `The newest ${number(KEPT)} are kept.` : "";
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  sayPaused();
  if (!isPaused) receive([]);
});

clear.addEventListener("click", () => {
  view.replaceChildren();
  waiting = [];
  unseen = dropped = 0;
  isAtEnd = true;
  sayNewer();
  sayFound();
  sayPaused();
});

function asText(element) {
  const entry = entries.get(element);
  if (!entry) return `--- ${element.textContent}`;
  return entry.at ? `${entry.at} ${entry.level} ${entry.logger}: ${entry.message}` : entry.message;
}

copy.addEventListener("click", async () => {
  const shown = [...view.children].filter((each) => !(only.checked && each.dataset.match === "no"));
  try {
    await navigator.clipboard.writeText(shown.map(asText).join("\n"));
    copy.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(view);
    copy.textContent = "Selected";
  }
  setTimeout(() => { copy.textContent = "Copy"; }, 1500);
});

/* Search */

function searchAgain() {
  const field = search.elements.search;
  const problem = find(".problem", search);
  problem.hidden = true;
  field.removeAttribute("aria-invalid");
  try {
    pattern = field.value ? new RegExp(regex.checked ? field.value : escaped(field.value), "gi") : null;
  } catch (error) {
    pattern = null;
    field.setAttribute("aria-invalid", "true");
    problem.textContent = `This is no regular expression: ${error.message.split(": ").pop()}.`;
    problem.hidden = false;
  }
  view.classList.toggle("only", only.checked && pattern !== null);
  for (const element of view.children) if (entries.has(element)) fill(element);
  if (isAtEnd) goToEnd();
  sayFound();
}

function escaped(text) {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function matches() {
  return [...view.querySelectorAll("[data-match=yes]")];
}

function sayFound() {
  const count = pattern ? matches().length : 0;
  const words = count === 1 ? "1 line" : `${number(count)} lines`;
  const said = pattern ? words : "";
  const place = find("output", search);
  if (place.textContent !== said) place.textContent = said;
}

/** Go to the match after the current one, or to the one before it. */
function step(by) {
  const all = matches();
  if (!all.length) return;
  const current = view.querySelector(".current");
  const from = current ? all.indexOf(current) : by > 0 ? -1 : 0;
  current?.classList.remove("current");
  const next = all[(from + by + all.length) % all.length];
  next.classList.add("current");
  isAtEnd = false;
  next.scrollIntoView({ block: "center" });
}

let typing = 0;
search.elements.search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(searchAgain, 120);
});
for (const box of [regex, only]) box.addEventListener("change", searchAgain);
search.addEventListener("submit", (event) => event.preventDefault());
search.elements.search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
});

/* The stream */

function open() {
  const input = { file: file.value, level: level.value };
  const query = new URLSearchParams(input);
  history.replaceState(null, "", `?${query}`);
  find(".curl code", panel).textContent = `curl -N '${location.origin}/api/logs?${query}'`;
  view.replaceChildren();
  isAtEnd = true;
  begin([]);
  const log = new Arrival((options) => $sse.logs(input, options), { begin: beginWith, add: receive });
  follow("logs", `Log ${input.file}`, (options) => $sse.logs(input, { ...options, shared: true }), {
    onOpen: () => log.ask(),
    on: {
      tail: (tail, event) => log.begin(tail, event.id),
      // Never one that is known already.
      note: ({ what }) => log.add([{ note: NOTES[what] }], null),
    },
    onMessage: ({ lines }, event) => log.add(lines, event.id),
  });
}

function beginWith({ lines, reason }) {
  begin(lines, reason === "opened" ? null : "Some lines may be missing before these.");
}

async function listFiles() {
  const wanted = new URLSearchParams(location.search);
  let files = [];
  try {
    files = await $api.log_files();
  } catch {
    // The stream says what is wrong.
  }
  if (!files.some(({ name }) => name === "server")) files.unshift({ name: "server" });
  file.replaceChildren(...files.map((each) => make("option", { value: each.name }, each.bytes === undefined ? each.name : `${each.name} (${bytes(each.bytes)})`)));
  for (const field of [file, level]) {
    const value = wanted.get(field.name);
    if ([...field.options].some((option) => option.value === value)) field.value = value;
    field.addEventListener("change", open);
  }
  open();
}

listFiles();
