// Runs before the page is drawn, so that it never shows in the other colours first.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Who blocks cookies has no storage either: the colours are the system's.
}
