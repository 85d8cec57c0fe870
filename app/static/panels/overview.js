// Notifications, which are on every open page at once, and what the server is doing.
import { $api, $sse } from "/api/client.js";
import { follow } from "../connection.js";
import { find, make, whenPressed } from "../dom.js";
import { explain, form } from "../form.js";
import { clock, number } from "../format.js";

const TONES = { info: "info", success: "good", warning: "warn", error: "bad" };
// As many as a stream begins with, and as are asked for at once.
const FIRST = 10;
const PAGE = 50;
// As many as the server keeps.
const KEPT = 1000;
const panel = find("#notifications");
const list = find(".notes", panel);
const older = find("#older", panel);
// By their ids, so that what comes twice, in a stream and by a request, is shown once.
const shown = new Map();

/** Where a notification is among the others. */
const place = (id) => Number(id.slice(id.lastIndexOf("-") + 1));

function add({ id, message, level, at, by }, isNew = false) {
  if (shown.has(id)) return;
  const time = clock(at);
  time.textContent = ago(at);
  const item = make(
    "li",
    { class: isNew ? "new" : "", data: { level, id } },
    make("span", { class: "tag", data: { tone: TONES[level] ?? "info" } }, level),
    make("span", { class: "text" }, message, by ? make("span", { class: "by" }, by) : null),
    time,
  );
  if (by) item.querySelector(".by").before(" ");
  list.insertBefore(item, [...list.children].find((other) => place(other.dataset.id) < place(id)) ?? null);
  shown.set(id, item);
  if (shown.size > KEPT) remove(list.lastElementChild.dataset.id);
}

function remove(id) {
  shown.get(id).remove();
  shown.delete(id);
}

function clear() {
  shown.clear();
  list.replaceChildren();
}

/** Show what was posted before; where it is fewer than `limit`, there is nothing older. */
function addAll(notes, limit) {
  for (const note of notes) add(note);
  older.hidden = notes.length < limit;
  find(".empty", panel).hidden = shown.size > 0;
}

whenPressed(older, async () => {
  const last = list.lastElementChild;
  explain(panel, null);
  try {
    addAll(await $api.history({ limit: PAGE, before: last.dataset.id }), PAGE);
  } catch (error) {
    explain(panel, error);
  }
  if (older.hidden) focusOn(last.nextElementSibling ?? last);
});

/** The button is gone: the focus goes to where the reader is. */
function focusOn(item) {
  item.tabIndex = -1;
  item.focus();
}

// Times go on.

function ago(iso) {
  const seconds = Math.round((Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds - (seconds % 5)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

setInterval(() => {
  for (const time of list.querySelectorAll("time")) {
    const text = ago(time.dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}, 5000);

// How many came while nobody looked; and for who listens, what came.

const title = document.title;
let unread = 0;
let unsaid = [];

function arrived(note) {
  if (document.hidden) document.title = `(${++unread}) ${title}`;
  unsaid.push(`${note.level}: ${note.message}`);
  if (unsaid.length === 1) setTimeout(say, 400);
}

function say() {
  const words = unsaid.length === 1 ? unsaid[0] : `${unsaid.length} notifications. The last one is ${unsaid.at(-1)}`;
  find("#arrived").textContent = words;
  unsaid = [];
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
});

follow("notifications", "Notifications", (options) => $sse.notifications({}, { ...options, shared: true }), {
  onReset: clear,
  on: { snapshot: (notes) => addAll(notes, FIRST) },
  onMessage(note, { id }) {
    if (shown.has(id)) return;
    add({ ...note, id }, true);
    find(".empty", panel).hidden = true;
    arrived(note);
  },
});

const sender = find("form", panel);
form(sender, async (values) => {
  await $api.notify(values);
  sender.elements.message.value = "";
  sender.elements.message.focus();
});

// What the server is doing.

const activity = find("#activity");

function figure(name, text) {
  find(`[data-figure="${name}"]`, activity).textContent = text;
}

function row({ pid, streams }, all) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i", { style: { "--part": all ? streams / all : 0 } }));
  return make("li", {}, make("span", { class: "aside" }, `Worker ${pid}`), make("span", { class: "count" }, number(streams)), bar);
}

follow("activity", "Server", (options) => $sse.activity({}, { ...options, shared: true }), {
  onMessage({ streams, rate, workers }) {
    figure("streams", number(streams));
    figure("rate", number(rate, rate < 10 ? 1 : 0));
    find(".workers", activity).replaceChildren(...workers.map((worker) => row(worker, streams)));
  },
});
