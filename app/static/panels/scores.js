// A season as its results come in, and the table that they make.
import { $sse } from "/api/client.js";
import { follow } from "../connection.js";
import { find, make } from "../dom.js";
import { number } from "../format.js";
import { difference, standings } from "../league.js";

const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const OUTCOMES = { W: ["good", "won"], D: ["info", "drawn"], L: ["bad", "lost"] };
const panel = find("#season");
const list = find(".results");
const body = find(".league tbody");
const team = find("#team");
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

let season = 0;
let of = 0;
let days = 0;
// By number, from 1, without a gap.
let results = [];

const dated = (iso) => DAY.format(new Date(iso));
const isShown = ({ home, away }) => !team.value || [home, away].includes(team.value);

follow("scores", "Scores", (options) => $sse.scores({}, { ...options, shared: true }), {
  on: {
    snapshot(soFar) {
      ({ season, of, days, results } = soFar);
      redraw();
    },
    season(begun) {
      if (begun.season <= season) return;
      season = begun.season;
      results = [];
      redraw();
      say("The season begins again.");
    },
    result(result) {
      // What was published while the stream began may be in the snapshot already.
      if (result.season !== season || result.number !== results.length + 1) return;
      results.push(result);
      if (isShown(result)) add(result, true);
      count();
      rank();
      tell(result);
    },
  },
});

function redraw() {
  list.replaceChildren();
  for (const result of results) if (isShown(result)) add(result, false);
  count();
  rank(false);
}

// The results, the last day first.

function add(result, isNew) {
  const { day, date } = result;
  let place = list.querySelector(`[data-day="${Number(day)}"]`);
  if (!place) {
    place = make("ol", { data: { day }, "aria-label": dated(date) });
    list.prepend(make("h3", {}, `${dated(date)}`), place);
  }
  place.prepend(row(result, isNew));
}

function row({ home, away, home_goals, away_goals }, isNew) {
  return make(
    "li",
    { class: isNew ? "new" : "" },
    make("span", { class: home_goals > away_goals ? "home won" : "home" }, home),
    make("span", { class: "score" }, `${home_goals} – ${away_goals}`),
    make("span", { class: away_goals > home_goals ? "won" : "" }, away),
  );
}

/** For who listens: each result of the chosen team, else each day. */
function tell({ day, date, home, away, home_goals, away_goals }) {
  const leader = results.length === of ? ` ${standings(results)[0].team} are champions.` : "";
  const before = results.at(-2);
  if (team.value && [home, away].includes(team.value)) say(`${home} ${home_goals}, ${away} ${away_goals}.${leader}`);
  else if (leader) say(`The season is over.${leader}`);
  else if (!team.value && before?.day !== day) say(`Results of ${dated(date)} come in.`);
}

function say(text) {
  find("#said").textContent = text;
}

// How far it is.

function figure(name, text) {
  find(`[data-figure="${name}"]`, panel).textContent = text;
}

function count() {
  const last = results.at(-1);
  const goals = results.reduce((sum, { home_goals, away_goals }) => sum + home_goals + away_goals, 0);
  figure("date", last ? dated(last.date).replace(/^\w+,? /, "") : "–");
  figure("day", number(last?.day ?? 0));
  figure("days", `of ${days}`);
  figure("played", number(results.length));
  figure("of", `of ${of}`);
  figure("goals", number(goals));
  figure("average", results.length ? `${number(goals / results.length, 2)} a match` : "");
  find('[data-figure="bar"]', panel).style.setProperty("--part", of ? results.length / of : 0);
}

// The table.

const rows = new Map();

function rank(moves = true) {
  const table = standings(results);
  const today = results.at(-1)?.day;
  const before = standings(results.filter(({ day }) => day < today)).map((row) => row.team);
  const tops = new Map([...rows].map(([name, element]) => [name, element.offsetTop]));
  const drawn = table.map((row, place) => line(row, place, before.indexOf(row.team)));
  for (const name of [...rows.keys()]) if (!table.some((row) => row.team === name)) rows.delete(name);
  body.replaceChildren(...drawn);
  offer(table.map((row) => row.team));
  if (moves && !isCalm.matches) for (const [name, element] of rows) slide(element, tops.get(name));
}

/** Move a row from where it was. */
function slide(element, top) {
  const by = top === undefined ? 0 : top - element.offsetTop;
  if (by) element.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 450, easing: "ease-out" });
}

function line(row, place, before) {
  const gap = difference(row);
  const cells = [
    make("td", { class: "number" }, make("span", { class: "place" }, String(place + 1), moved(before < 0 ? 0 : before - place))),
    make("th", { scope: "row" }, row.team),
    cell(row.played),
    ...[row.W, row.D, row.L, `${row.scored}:${row.conceded}`].map((value) => cell(value, "detail")),
    cell(gap > 0 ? `+${gap}` : gap < 0 ? `−${-gap}` : "0"),
    cell(row.points, "points"),
    make("td", { class: "form" }, make("ol", {}, ...row.form.map(outcome))),
  ];
  const element = rows.get(row.team) ?? make("tr");
  rows.set(row.team, element);
  element.replaceChildren(...cells);
  element.dataset.chosen = row.team === team.value ? "yes" : "no";
  return element;
}

function cell(value, kind = "") {
  return make("td", { class: `number ${kind}` }, String(value));
}

function moved(by) {
  if (!by) return make("span", { class: "move" });
  const [arrow, word, tone] = by > 0 ? ["▲", "up", "good"] : ["▼", "down", "bad"];
  return make(
    "span",
    { class: "move", data: { tone } },
    make("span", { "aria-hidden": "true" }, `${arrow}${Math.abs(by)}`),
    make("span", { class: "hidden" }, ` ${word} ${Math.abs(by)}`),
  );
}

function outcome(letter) {
  const [tone, word] = OUTCOMES[letter];
  return make("li", { class: "tag", data: { tone } }, make("span", { "aria-hidden": "true" }, letter), make("span", { class: "hidden" }, word));
}

// The filter.

/** Offer the teams that there are, by name. */
function offer(names) {
  const known = new Set([...team.options].map((option) => option.value));
  for (const name of names.filter((name) => !known.has(name))) {
    const next = [...team.options].slice(1).find((option) => option.value.localeCompare(name, "en") > 0) ?? null;
    team.add(make("option", { value: name }, name), next);
  }
}

team.addEventListener("change", redraw);
