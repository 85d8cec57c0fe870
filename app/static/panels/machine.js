// The newest sample in words: figures, cores, workers.
import { find, make } from "../dom.js";
import { bytes, duration, number, percent } from "../format.js";

const BUSY = 90;

export function show(now) {
  figures(now);
  cores(now.cores);
  workers(now.workers);
}

function figures({ host, uptime, cpu, cores, load, memory, swap, disk }) {
  say("host", host);
  say("uptime", duration(uptime));
  say("cores", cores.length === 1 ? "1 core" : `${cores.length} cores`);
  say("load", number(load.one, 2));
  say("loads", `5 min ${number(load.five, 1)}, 15 min ${number(load.fifteen, 1)}`);
  say("swap", swap.total ? `${bytes(swap.used)} of ${bytes(swap.total)}` : "no swap");
  part("cpu", cpu);
  for (const [name, usage] of Object.entries({ memory, disk })) {
    say(name, number(usage.percent, 1));
    say(`${name}-bytes`, `${bytes(usage.used)} of ${bytes(usage.total)}`);
    part(name, usage.percent);
  }
  say("cpu", number(cpu, 1));
}

function say(name, text) {
  const place = find(`[data-figure="${name}"]`);
  if (place.textContent !== text) place.textContent = text;
}

function part(name, value) {
  fill(find(`[data-bar="${name}"]`), value);
}

function fill(bar, value) {
  bar.style.setProperty("--part", value / 100);
  bar.dataset.busy = value >= BUSY ? "yes" : "no";
}

/** A bar for each core; what is there stays, so that bars glide. */
function cores(shares) {
  const list = find("#cores");
  while (list.children.length > shares.length) list.lastChild.remove();
  while (list.children.length < shares.length) list.append(core(list.children.length));
  shares.forEach((share, index) => {
    const item = list.children[index];
    find("b", item).textContent = percent(share);
    fill(find("i", item), share);
  });
}

function core(index) {
  const bar = make("span", { class: "bar" }, make("i"));
  return make("li", {}, make("span", { class: "aside" }, `Core ${index}`), make("b"), bar);
}

function workers(processes) {
  const body = find("#workers tbody");
  const rows = processes.map(({ pid, cpu, memory, streams }) => [String(pid), number(streams), percent(cpu), bytes(memory)]);
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  while (body.rows.length < rows.length) body.append(row());
  rows.forEach((texts, i) => texts.forEach((text, j) => { body.rows[i].cells[j].textContent = text; }));
  find("#workers-sum").textContent = `${processes.length} ${processes.length === 1 ? "process" : "processes"}`;
}

function row() {
  return make("tr", {}, make("th", { scope: "row" }), ...[1, 2, 3].map(() => make("td", { class: "number" })));
}
