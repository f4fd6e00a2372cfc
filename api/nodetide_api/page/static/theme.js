// Light and dark: the system's until the button is used, then what was chosen.

const KEY = "nodetide-theme";
const root = document.documentElement;

/** A colour of the theme in use, for canvases. */
export function colour(name) {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {() => void} onChange called after the theme has changed
 */
export function setUpTheme(button, onChange) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const use = (theme) => {
    root.dataset.theme = theme;
    button.setAttribute("aria-pressed", String(theme === "dark"));
    onChange();
  };
  button.addEventListener("click", () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Not remembered, but used.
    }
    use(theme);
  });
  system.addEventListener("change", () => {
    if (!remembered()) use(system.matches ? "dark" : "light");
  });
  button.setAttribute("aria-pressed", String(root.dataset.theme === "dark"));
}
