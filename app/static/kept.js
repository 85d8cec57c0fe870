// What this browser keeps for the next page. Who blocks cookies has no such place: nothing is kept then.

export function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice holds for this page.
  }
}

/** What was kept; `null` where nothing was. */
export function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
