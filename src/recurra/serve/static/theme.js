// A classic script in the head: it runs before anything is drawn, so that no page flashes.
(() => {
  const KEY = "recurra-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage is switched off
    }
  };
  const keep = (theme) => {
    try {
      if (theme) localStorage.setItem(KEY, theme);
      else localStorage.removeItem(KEY);
    } catch {
      // the choice holds until the page is left
    }
  };
  const chosen = kept();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const tell = () => {
    const button = document.getElementById("theme");
    const other = current() === "dark" ? "Light" : "Dark";
    if (button) {
      button.textContent = other;
      button.setAttribute("aria-label", `${other} theme`);
    }
    document.dispatchEvent(new Event("themechange"));
  };
  const toggle = () => {
    const wanted = current() === "dark" ? "light" : "dark";
    // Back at what the system says, the page follows the system again.
    const own = wanted === (system.matches ? "dark" : "light") ? null : wanted;
    if (own) root.dataset.theme = own;
    else delete root.dataset.theme;
    keep(own);
    tell();
  };
  system.addEventListener("change", tell);
  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme")?.addEventListener("click", toggle);
    tell();
  });
})();
