// Alerts of all hosts that are pending or fire: asked for again and again, and shown worst first.

import { el, reconcile, setText } from "./dom.js";
import { clock } from "./format.js";

/** Alerts are evaluated every five seconds at most. */
const AGAIN_MS = 5000;

/** Asking must not become the server's main work. */
const SHARE = 10;

/** Rows asked for and shown. */
const MOST = 100;

/** Asks while it is told to. */
export class AlertPoller {
  #api;
  #onAnswer;
  #running = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {(answer: object) => void} onAnswer
   */
  constructor(api, onAnswer) {
    this.#api = api;
    this.#onAnswer = onAnswer;
  }

  start() {
    if (this.#running) return;
    this.#running = new AbortController();
    void this.#ask(this.#running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
  }

  async #ask(signal) {
    const began = performance.now();
    try {
      const answer = await this.#api.alerts(MOST, signal);
      if (!signal.aborted) this.#onAnswer(answer);
    } catch {
      // The stream says in what trouble the server is; what is shown stays until it answers.
    }
    if (signal.aborted) return;
    const wait = Math.max(AGAIN_MS, SHARE * (performance.now() - began));
    const timer = setTimeout(() => void this.#ask(signal), wait);
    signal.addEventListener("abort", () => clearTimeout(timer));
  }
}

const series = ({ policy, name, tags }) =>
  JSON.stringify([policy, name, Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))]);

/**
 * One row for each series of an alert: of its severities the first, which is the worst.
 * @param {object[]} alerts of an `Alerts` answer, in its order
 */
export function rowsOf(alerts) {
  const rows = new Map();
  for (const alert of alerts) {
    const key = series(alert);
    if (!rows.has(key)) rows.set(key, { key, ...alert });
  }
  return [...rows.values()];
}

const WEB = ["http:", "https:"];

/** The address of a runbook, or null where it is none that a browser should be sent to. */
export function runbook(annotations) {
  try {
    const address = new URL(annotations.runbook_url);
    return WEB.includes(address.protocol) ? address.href : null;
  } catch {
    return null; // no address at all, or one that is relative
  }
}

/** "2 firing, 1 pending" */
export function counted({ firing, pending }) {
  return [firing > 0 ? `${firing} firing` : "", pending > 0 ? `${pending} pending` : ""].filter(Boolean).join(", ");
}

/** "since 14:03:05", with the date where it is another day's. */
export function sinceText(alert, now = new Date()) {
  const at = new Date(alert.starts_at ?? alert.since);
  return `since ${clock(at.getTime() / 1000, at.toDateString() !== now.toDateString())}`;
}

/** What tells this alert's series from others of its host: "path=/data". */
export function rest(tags) {
  return Object.entries(tags)
    .filter(([name]) => name !== "host")
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** The strip above the tiles; it is there only while there is something to say. */
export class AlertsView {
  #strip = document.getElementById("alerts");
  #said = document.getElementById("alerts-said");
  #list = document.getElementById("alerts-list");
  #more = document.getElementById("alerts-more");
  #hashOf;

  /** @param {(change: {host: string, policy: string}) => string} hashOf the address of a host */
  constructor(hashOf) {
    this.#hashOf = hashOf;
  }

  /** @param {object} answer an `Alerts` answer */
  show(answer) {
    const rows = rowsOf(answer.alerts);
    this.#strip.hidden = rows.length === 0;
    setText(this.#said, counted(answer));
    const left = answer.firing + answer.pending - answer.alerts.length;
    this.#more.hidden = left <= 0;
    setText(this.#more, `and ${left} more`);
    reconcile(
      this.#list,
      rows,
      ({ key }) => key,
      () =>
        el(
          "li",
          {},
          el("span", { class: "severity" }),
          el("strong"),
          el("a", { class: "at" }),
          el("span", { class: "series" }),
          el("span", { class: "summary" }),
          el("a", { class: "runbook", target: "_blank", rel: "noopener noreferrer" }, "Runbook"),
          el("span", { class: "since" }),
        ),
      (row, alert) => this.#update(row, alert),
    );
  }

  #update(row, alert) {
    const [severity, name, host, tags, summary, link, since] = row.children;
    row.dataset.severity = alert.severity;
    row.dataset.state = alert.state;
    const notes = [alert.state === "pending" ? "pending" : "", alert.silenced ? "silenced" : ""].filter(Boolean);
    setText(severity, [alert.severity, ...notes].join(", "));
    setText(name, alert.name);
    setText(host, alert.tags.host ?? "");
    host.hidden = !alert.tags.host;
    host.setAttribute("href", this.#hashOf({ host: alert.tags.host ?? "", policy: alert.policy }));
    setText(tags, rest(alert.tags));
    setText(summary, alert.annotations.summary ?? "");
    summary.title = alert.annotations.description ?? "";
    const address = runbook(alert.annotations);
    link.hidden = address === null;
    if (address === null) link.removeAttribute("href");
    else link.setAttribute("href", address);
    link.setAttribute("aria-label", `Runbook of ${alert.name}`);
    setText(since, sinceText(alert));
  }
}
