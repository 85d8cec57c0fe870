// The session is that of all tabs: when it begins or ends in one, the others show it.
const channel = new BroadcastChannel("session");
let isLeaving = false;

/** Show this page as it is for who is signed in now. Once: a reload in a reload crashes Chromium. */
export function startAgain() {
  if (!isLeaving) location.reload();
  isLeaving = true;
}

/** Tell the other tabs that somebody signed in or out. */
export function tellTabs() {
  channel.postMessage("changed");
}

channel.addEventListener("message", startAgain);
