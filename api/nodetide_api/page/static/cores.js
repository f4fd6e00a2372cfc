// One cell per CPU: filled from below as far as it is busy, with the number, so that colour is not needed to read it.

import { el, reconcile, setText } from "./dom.js";
import { text } from "./format.js";

const BUSY = 90;

/** How urgent a share is: "calm", "warm" or "hot". */
export function level(percent, warm, hot) {
  if (percent === null || percent < warm) return "calm";
  return percent < hot ? "warm" : "hot";
}

/** One sentence about all cores. */
export function summary(cores) {
  const known = cores.filter((core) => core.active !== null);
  if (known.length === 0) return "";
  const top = known.reduce((a, b) => (b.active > a.active ? b : a));
  const busy = known.filter((core) => core.active >= BUSY).length;
  return `busiest ${top.name} at ${text(top.active, "percent")} · ${busy} of ${cores.length} above ${BUSY} %`;
}

/** The card with all cores. */
export class Cores {
  #list = el("ol", { class: "cores" });
  #summary = el("p", { class: "note" });

  constructor() {
    this.element = el(
      "section",
      { class: "card", id: "cores", "aria-labelledby": "cores-title" },
      el("div", { class: "card-head" }, el("h2", { id: "cores-title" }, "CPU by core"), this.#summary),
      this.#list,
    );
  }

  show({ cores }) {
    this.#list.dataset.size = cores.length > 64 ? "many" : cores.length > 16 ? "some" : "few";
    setText(this.#summary, cores.length > 0 ? summary(cores) : "No single CPUs are sampled.");
    reconcile(
      this.#list,
      cores,
      (core) => core.name,
      (core) => el("li", {}, el("span", { class: "core-name" }, core.name.replace("cpu", "")), el("b")),
      (cell, core) => {
        const share = text(core.active, "percent");
        cell.dataset.level = level(core.active, 60, BUSY);
        cell.style.setProperty("--share", String((core.active ?? 0) / 100));
        cell.title = `${core.name}: ${share}`;
        cell.setAttribute("aria-label", `${core.name}: ${share}`);
        setText(cell.lastChild, core.active === null ? "–" : String(Math.round(core.active)));
      },
    );
  }
}
