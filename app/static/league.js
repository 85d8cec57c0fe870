// The table of a league, computed from results.

const POINTS = { W: 3, D: 1, L: 0 };

/** Rows `{team, played, W, D, L, scored, conceded, points, form}`, the best first. */
export function standings(results) {
  const rows = new Map();
  for (const { home, away, home_goals, away_goals } of results) {
    count(rows, home, home_goals, away_goals);
    count(rows, away, away_goals, home_goals);
  }
  return [...rows.values()].sort(byRank);
}

function count(rows, team, scored, conceded) {
  if (!rows.has(team)) rows.set(team, { team, played: 0, W: 0, D: 0, L: 0, scored: 0, conceded: 0, points: 0, form: [] });
  const row = rows.get(team);
  const outcome = scored > conceded ? "W" : scored < conceded ? "L" : "D";
  row.played += 1;
  row[outcome] += 1;
  row.scored += scored;
  row.conceded += conceded;
  row.points += POINTS[outcome];
  row.form = [...row.form, outcome].slice(-5);
}

/** By points, goal difference, goals, name: as the league does it. */
function byRank(one, other) {
  return (
    other.points - one.points ||
    difference(other) - difference(one) ||
    other.scored - one.scored ||
    one.team.localeCompare(other.team, "en")
  );
}

export function difference({ scored, conceded }) {
  return scored - conceded;
}
