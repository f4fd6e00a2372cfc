// Sets the theme before anything is painted; `theme.js` goes on from here.
(function () {
  let chosen = null;
  try {
    chosen = localStorage.getItem("nodetide-theme");
  } catch {
    // Storage is blocked: the system's theme it is.
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
