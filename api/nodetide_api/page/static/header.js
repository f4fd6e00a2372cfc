// The header: where the numbers come from, how fresh they are, and which range is shown.

import { el, setText } from "./dom.js";
import { duration, text } from "./format.js";
import { RANGES } from "./state.js";
import { explain, judge, WORDS } from "./status.js";

/** One button per range; the pressed one is the range shown. */
export class RangeButtons {
  #buttons;

  /**
   * @param {HTMLElement} parent
   * @param {(id: string) => void} onChoose
   */
  constructor(parent, onChoose) {
    this.#buttons = RANGES.map((range) => {
      const button = el(
        "button",
        { type: "button", "data-range": range.id, "aria-label": `Last ${range.label}`, "aria-pressed": "false" },
        range.id,
      );
      button.addEventListener("click", () => onChoose(range.id));
      return button;
    });
    parent.append(...this.#buttons);
  }

  show(id) {
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.range === id));
  }
}

/** A selector that is only there when there is something to select. */
export class Choice {
  #label;
  #select;

  /**
   * @param {HTMLElement} label holds the select
   * @param {(value: string) => void} onChoose
   */
  constructor(label, onChoose) {
    this.#label = label;
    this.#select = label.querySelector("select");
    this.#select.addEventListener("change", () => onChoose(this.#select.value));
  }

  /**
   * @param {{value: string, text: string}[]} options
   * @param {string} chosen
   * @returns {boolean} whether it is shown
   */
  show(options, chosen) {
    const all = options.some(({ value }) => value === chosen) ? options : [...options, { value: chosen, text: chosen }];
    const same =
      this.#select.options.length === all.length &&
      all.every(({ value, text: shown }, index) => {
        const option = this.#select.options[index];
        return option.value === value && option.text === shown;
      });
    // Not made anew while somebody has the list open.
    if (!same) this.#select.replaceChildren(...all.map(({ value, text: shown }) => el("option", { value }, shown)));
    this.#select.value = chosen;
    this.#label.hidden = all.length < 2;
    return !this.#label.hidden;
  }
}

/** "8 CPUs · 15.6 GiB · up 3 d 4 h" */
export function facts({ load, memory, uptime }) {
  return [
    load.cpus === null ? "" : `${load.cpus} CPU${load.cpus === 1 ? "" : "s"}`,
    memory.total === null ? "" : text(memory.total, "bytes"),
    uptime === null ? "" : `up ${duration(uptime)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The pill and the banner. */
export class StatusView {
  #pill = document.getElementById("status");
  #word = document.getElementById("status-word");
  #age = document.getElementById("status-age");
  #said = document.getElementById("status-said");
  #notice = document.getElementById("notice");
  #noticeText = document.getElementById("notice-text");
  #retry = document.getElementById("retry");
  #state = "";

  /** @param {() => void} onRetry */
  constructor(onRetry) {
    this.#retry.addEventListener("click", onRetry);
  }

  /**
   * @param {import("./status.js").Link} link
   * @param {{age: number, staleAfter: number}|null} sample
   * @param {string} host
   * @returns {string} the state shown
   */
  show(link, sample, host) {
    const state = judge(link, sample);
    const explanation = explain(state, link, sample, Date.now());
    this.#pill.dataset.state = state;
    document.body.dataset.state = state;
    setText(this.#word, WORDS[state]);
    const aged = sample && Number.isFinite(sample.age) && state !== "locked";
    setText(this.#age, aged ? `${duration(sample.age)} ago` : "");
    this.#notice.hidden = explanation === null;
    setText(this.#noticeText, explanation ?? "");
    this.#retry.hidden = state !== "disconnected";
    if (state !== this.#state) {
      // Said once per change: the seconds that count up and down are not for the ear.
      this.#state = state;
      setText(this.#said, state === "disconnected" ? `${WORDS[state]}. ${link.reason}` : WORDS[state]);
    }
    document.title = [state === "live" ? "" : WORDS[state], host, "Nodetide"].filter(Boolean).join(" · ");
    return state;
  }
}
