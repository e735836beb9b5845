// Light or dark: what the system says, unless this browser was told otherwise. Runs before the page is drawn.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = (theme) => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; };
  apply(kept());
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.addEventListener("click", () => {
        const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
        const next = isDark ? "light" : "dark";
        try { localStorage.setItem("theme", next); } catch { /* then for this page alone */ }
        apply(next);
      });
    }
  });
})();
