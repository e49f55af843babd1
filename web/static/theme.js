// Runs before the first paint, so that a remembered theme does not flash.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is switched off: the system's theme holds
    }
  };
  const apply = () => {
    const theme = read();
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.dataset.shown = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    dispatchEvent(new Event("themechange"));
  };
  root.dataset.js = "";
  apply();
  dark.addEventListener("change", apply);
  addEventListener("storage", (e) => e.key === "theme" && apply());
  addEventListener("click", (e) => {
    if (!e.target.closest?.("[data-theme-toggle]")) return;
    const next = root.dataset.shown === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", next);
    } catch {
      root.dataset.theme = next;
    }
    apply();
  });
})();
