// What came out of a task, drawn.
import { make } from "../dom.js";
import { bytes, number } from "../format.js";

export function result(found) {
  const drawn = { import: aggregate, hash: manifest, count: primes }[found.kind](found);
  return make("div", { class: "result" }, ...drawn);
}

function figures(pairs) {
  return make("dl", { class: "figures" }, ...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, make("b", {}, value)))));
}

/** A table that scrolls; columns from `firstNumber` on are numbers. */
function table(label, heads, rows, firstNumber) {
  const kind = (place) => ({ class: place >= firstNumber ? "number" : "" });
  const head = make("tr", {}, ...heads.map((text, place) => make("th", { scope: "col", ...kind(place) }, text)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, place) => make("td", kind(place), cell))));
  return make(
    "div",
    { class: "wide", role: "region", "aria-label": label, tabindex: "0" },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)),
  );
}

function value(amount) {
  return number(Math.round(amount * 100) / 100);
}

function aggregate({ group_by: groupBy, sum_up: sumUp, rows, skipped, group_count: count, groups }) {
  const heads = [...groupBy, "rows", ...sumUp.flatMap((name) => [`${name}: sum`, "mean"])];
  const lines = groups.map((group) => [
    ...group.values,
    number(group.rows),
    ...group.sums.flatMap((sum, place) => [value(sum), value(group.means[place])]),
  ]);
  const facts = [["Rows", number(rows)], ["Groups", number(count)], ["Rows left out", number(skipped)]];
  return [figures(facts), table("Groups", heads, lines, groupBy.length), more(count, groups.length, "groups with the largest sums")];
}

function manifest({ file_count: count, bytes: size, unreadable, sha256, files }) {
  const lines = files.map((file) => [make("code", {}, file.path), make("code", {}, file.sha256), bytes(file.bytes)]);
  const facts = [["Files", number(count)], ["Size", bytes(size)], ["Unreadable", number(unreadable)]];
  const whole = make("p", { class: "digest" }, make("span", { class: "aside" }, "SHA-256 of all: "), make("code", {}, sha256));
  return [figures(facts), whole, table("Files", ["File", "SHA-256", "Size"], lines, 2), more(count, files.length, "files, by name")];
}

function primes({ primes: count, largest, twins, widest_gap: gap }) {
  return [figures([["Primes", number(count)], ["Largest", number(largest)], ["Twins", number(twins)], ["Widest gap", number(gap)]])];
}

function more(count, shown, what) {
  return count > shown ? make("p", { class: "aside" }, `The first ${number(shown)} ${what}.`) : null;
}
