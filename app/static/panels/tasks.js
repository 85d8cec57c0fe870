// Tasks: started here, run by the server, followed by everybody, whether this page stays open or not.
import { $api, $sse } from "/api/client.js";
import { follow } from "../connection.js";
import { find, make, whenPressed } from "../dom.js";
import { explain, form } from "../form.js";
import { duration, moment, number } from "../format.js";
import { result } from "./task_result.js";

const FINISHED = ["done", "failed", "cancelled", "interrupted"];
// As many as the server keeps of those that have ended.
const KEPT = 50;
const TONES = { running: "info", done: "good", failed: "bad", interrupted: "warn" };

const panel = find("#tasks");
const list = find(".tasks", panel);
const status = find("[role=status]", panel);
// What is known of each task, and its row, by the task's number.
const known = new Map();
// The task that is open: its progress is followed closely, and its result shown.
let opened = null;
let following = null;

/* One row */

function progress(task) {
  if (task.state !== "running") return null;
  const value = task.total ? { value: task.done, max: task.total } : {};
  return make("progress", { ...value, "aria-label": `Progress of ${task.title}` });
}

function told(task) {
  const words = [];
  if (task.state === "running") {
    if (task.total) words.push(`${Math.floor((100 * task.done) / task.total)} %`);
    words.push(`${number(task.done)}${task.total ? ` of ${number(task.total)}` : ""} ${task.unit}`);
  } else if (FINISHED.includes(task.state) && task.started) {
    words.push(`${task.state === "done" ? "in" : "after"} ${seconds(task)}`);
  } else if (task.state === "queued") {
    words.push("waits for its turn");
  }
  if (task.by) words.push(`by ${task.by}`);
  const fault = task.problem ? make("span", { class: "fault" }, task.problem) : null;
  return make("p", { class: "told" }, moment(task.created), ...words.map((each) => make("span", {}, each)), fault);
}

function seconds({ started, finished }) {
  const length = (new Date(finished) - new Date(started)) / 1000;
  return length < 60 ? `${number(length, length < 10 ? 2 : 1)} s` : duration(length);
}

function button(task) {
  const isOver = FINISHED.includes(task.state);
  if (isOver && task.state === "done") return null;
  const [label, call] = isOver ? ["Start again", $api.repeat_task] : ["Cancel", $api.cancel_task];
  const made = make("button", { type: "button", class: "secondary", "aria-label": `${label}: ${task.title}` }, label);
  if (task.cancelling && !isOver) {
    made.textContent = "Cancelling";
    made.setAttribute("aria-disabled", "true");
  }
  whenPressed(made, async () => {
    explain(panel, null);
    try {
      show(await call({ task_id: task.id }), { isNew: isOver });
    } catch (error) {
      explain(panel, error);
      if (error.status === 404) remove(task.id);
    }
  });
  return made;
}

function row(task) {
  const isOpen = opened === task.id;
  const name = make("button", { type: "button", class: "name", "aria-expanded": String(isOpen) }, task.title);
  name.addEventListener("click", () => open(isOpen ? null : task.id));
  const tag = make("span", { class: "tag", data: { tone: TONES[task.state] ?? "" } }, task.state);
  const head = make("div", { class: "head" }, name, tag, make("div", { class: "does" }, button(task)));
  const shown = isOpen && task.result ? result(task.result) : null;
  return make("li", { data: { task: task.id, state: task.state, open: isOpen ? "yes" : "no" } }, head, told(task), progress(task), shown);
}

/** While a task runs only figures change: what has the focus stays where it is. */
function refresh(item, task) {
  const bar = item.querySelector("progress");
  if (bar && task.total) Object.assign(bar, { max: task.total, value: task.done });
  find(".told", item).replaceWith(told(task));
}

/* All rows */

function isNews(before, task) {
  if (!before) return true;
  if (FINISHED.includes(before.state)) return FINISHED.includes(task.state) && Boolean(task.result) && !before.result;
  return FINISHED.includes(task.state) || task.updated >= before.updated;
}

/** Show a task as it is told of; what is older than what is known is left aside. */
function show(task, { isNew = false } = {}) {
  const entry = known.get(task.id);
  if (isNews(entry?.task, task)) {
    const cancelling = task.cancelling || Boolean(entry?.task.cancelling);
    put({ ...task, cancelling }, entry);
  }
  trim();
  if (!isNew) return;
  open(task.id);
  known.get(task.id).item.scrollIntoView({ block: "nearest" });
}

function put(task, entry) {
  const before = entry?.task;
  if (before && before.state === "running" && task.state === "running" && before.cancelling === task.cancelling) {
    refresh(entry.item, task);
    known.set(task.id, { task, item: entry.item });
    return;
  }
  replace(task, entry);
  if (before && before.state !== task.state && FINISHED.includes(task.state)) status.textContent = `${task.title}: ${task.state}.`;
}

function replace(task, entry) {
  const item = row(task);
  const focused = entry?.item.contains(document.activeElement) && (document.activeElement.className || "name");
  if (entry) entry.item.replaceWith(item);
  else insert(item, task.id);
  known.set(task.id, { task, item });
  if (focused) (item.querySelector(`button.${focused}`) ?? find("button.name", item)).focus();
  find(".empty", panel).hidden = true;
}

/** The newest come first. */
function insert(item, id) {
  const next = [...list.children].find((each) => Number(each.dataset.task) < id);
  list.insertBefore(item, next ?? null);
}

function showAll(tasks) {
  const kept = new Set(tasks.map(({ id }) => id));
  for (const id of [...known.keys()]) if (!kept.has(id)) remove(id);
  for (const task of tasks) show(task);
  find(".empty", panel).hidden = known.size > 0;
}

/** Forget what the server forgets; the one that is open may still be read. */
function trim() {
  const ended = [...known.values()].map(({ task }) => task).filter(({ state }) => FINISHED.includes(state));
  ended.sort((a, b) => Date.parse(b.finished) - Date.parse(a.finished) || b.id - a.id);
  for (const { id } of ended.slice(KEPT)) if (id !== opened) remove(id);
}

/** The focus goes to the row that takes the place. */
function remove(id) {
  const { item } = known.get(id) ?? {};
  if (!item) return;
  const next = item.nextElementSibling ?? item.previousElementSibling;
  const hadFocus = item.contains(document.activeElement);
  if (opened === id) open(null);
  known.get(id).item.remove();
  known.delete(id);
  if (hadFocus) next?.querySelector("button.name").focus();
  find(".empty", panel).hidden = known.size > 0;
}

/* The open one */

function open(id) {
  const before = opened;
  opened = id;
  history.replaceState(null, "", id ? `#task-${id}` : location.pathname);
  endFollowing();
  for (const each of [before, id]) {
    const entry = known.get(each);
    if (entry) replace(entry.task, entry);
  }
  if (id && known.has(id)) followClosely(id);
}

function followClosely(id, { shared = true } = {}) {
  const { task } = known.get(id);
  if (task.result) return;
  following = follow("task", task.title, (options) => $sse.follow_task({ task_id: id }, { ...options, shared }), {
    onMessage: (told) => show(told),
    onEnd() {
      endFollowing();
      // A tab that joined others at the very end has not been told what came out.
      const { state, result: found } = known.get(id).task;
      if (shared && state === "done" && !found) followClosely(id, { shared: false });
    },
    onError(error) {
      if (error.status !== 404) return;
      status.textContent = `${task.title}: not kept any more.`;
      remove(id);
    },
  });
}

function endFollowing() {
  following?.close();
  following = null;
}

follow("tasks", "Tasks of everybody", (options) => $sse.tasks({}, { ...options, shared: true }), {
  onOpen() {
    explain(panel, null);
    offerChoices();
  },
  on: {
    snapshot(tasks) {
      showAll(tasks);
      const linked = Number(/^#task-([0-9]{1,15})$/.exec(location.hash)?.[1]);
      if (opened === null && known.has(linked)) open(linked);
    },
  },
  onMessage: (task) => show(task),
});

/* Starting */

const importing = find("#import");
const tables = importing.elements.data_set;
const columns = new Map();

async function start(input) {
  show(await $api.start_task(input), { isNew: true });
}

function addTable({ id, title, columns: found }) {
  columns.set(id, found);
  tables.append(make("option", { value: id }, title));
}

/** Which columns can be chosen; one of each kind is, to begin with. */
function offerColumns() {
  const found = columns.get(tables.value) ?? [];
  const numeric = found.filter((column) => column.numeric);
  const others = found.filter((column) => !column.numeric);
  offer("group_by", [...others, ...numeric], others.length > 1 ? others[1] : others[0]);
  offer("sum_up", numeric, numeric[0]);
}

function offer(name, choices, chosen) {
  const fieldset = find(`fieldset[name=${name}]`, importing);
  const boxes = choices.map((column) => {
    const box = make("input", { type: "checkbox", name, value: column.name, checked: column === chosen });
    return make("label", { class: "choice" }, box, make("span", {}, column.name));
  });
  const none = make("p", { class: "aside" }, name === "sum_up" ? "This table has no column of numbers." : "This table has no columns.");
  fieldset.replaceChildren(find("legend", fieldset), ...(boxes.length ? boxes : [none]));
}

function checked(name) {
  return [...importing.querySelectorAll(`[name=${name}]:checked`)].map(({ value }) => value);
}

async function startImport() {
  const input = { group_by: checked("group_by"), sum_up: checked("sum_up") };
  const wrong = Object.keys(input).find((name) => input[name].length < 1 || input[name].length > 3);
  if (wrong) explain(importing, { title: `Choose one to three columns to ${wrong.replace("_", " ")}.` });
  else await start({ kind: "import", data_set: tables.value, ...input });
}

async function upload(file) {
  if (file.size > 2 * longest) throw new Error(`The file has more than ${number(longest)} characters.`);
  const text = decode(await file.arrayBuffer());
  if (!text) throw new Error("The file is empty.");
  if (text.length > longest) throw new Error(`The file has ${number(text.length)} characters; ${number(longest)} is the most.`);
  const table = await $api.upload_table({ title: file.name.slice(-120), text });
  addTable(table);
  tables.value = table.id;
  offerColumns();
}

/** UTF-8, or what old spreadsheets write. */
function decode(buffer) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer);
  } catch {
    return new TextDecoder("windows-1252").decode(buffer);
  }
}

form(importing, startImport);
form(find("#hash"), ({ folder }) => start({ kind: "hash", folder }));
form(find("#count"), ({ limit }) => start({ kind: "count", limit }));
tables.addEventListener("change", offerColumns);

let longest = 0;
let isOffering = false;

/** What can be chosen, asked for whenever the server is there, until it has been told. */
async function offerChoices() {
  if (isOffering || longest) return;
  isOffering = true;
  try {
    const choices = await $api.task_choices();
    choices.data_sets.forEach(addTable);
    find("#hash").elements.folder.append(...choices.folders.map((folder) => make("option", {}, folder)));
    offerColumns();
    longest = choices.longest_upload;
    explain(panel, null);
  } catch (error) {
    explain(panel, error);
  } finally {
    isOffering = false;
  }
}

const field = find("[type=file]", importing);
field.addEventListener("change", async () => {
  explain(importing, null);
  try {
    if (field.files[0]) await upload(field.files[0]);
  } catch (error) {
    explain(importing, error);
  }
  field.value = "";
});

offerChoices();
