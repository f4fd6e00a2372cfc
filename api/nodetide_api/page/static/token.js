// Asks for the API's token and keeps it as long as the tab is open.

const KEY = "nodetide-token";

/** @returns {string|null} */
export function storedToken() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return memory;
  }
}

let memory = null;

/**
 * @param {HTMLFormElement} form
 * @param {() => void} onToken called once a token has been entered
 * @returns {{ask: () => void, hide: () => void}} `ask` shows the form, and says so when a token was not accepted
 */
export function setUpToken(form, onToken) {
  const input = form.querySelector("input");
  const problem = form.querySelector("[role=alert]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    memory = input.value.trim();
    input.value = "";
    try {
      sessionStorage.setItem(KEY, memory);
    } catch {
      // Kept in memory alone.
    }
    problem.textContent = "";
    onToken();
  });
  return {
    ask() {
      problem.textContent = storedToken() ? "This token was not accepted." : "";
      form.hidden = false;
      input.focus();
    },
    hide() {
      form.hidden = true;
    },
  };
}
