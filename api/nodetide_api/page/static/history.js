// Fetches what the charts show of the past; a later request replaces an earlier one.

/** Seconds between two fetches of the same range: corrects what live samples could only estimate. */
const AGAIN_MS = 300_000;

/** Milliseconds after which a fetch that failed is tried again. */
const RETRY_MS = 5_000;

/** Loads all charts for one view. */
export class HistoryLoader {
  #api;
  #charts;
  #onLoaded;
  #running = null;
  #timer;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./chart.js").Chart[]} charts
   * @param {() => void} onLoaded called after each chart has got its history, or its failure
   */
  constructor(api, charts, onLoaded) {
    this.#api = api;
    this.#charts = charts;
    this.#onLoaded = onLoaded;
  }

  /** @param {{host: string, policy: string, seconds: number}} what */
  load(what) {
    this.stop();
    const controller = new AbortController();
    this.#running = controller;
    void this.#loadAll(what, controller.signal);
  }

  /** Forgets a fetch under way and the next one. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    clearTimeout(this.#timer);
  }

  async #loadAll(what, signal) {
    const done = await Promise.all(this.#charts.map((chart) => this.#loadOne(chart, what, signal)));
    if (signal.aborted) return;
    this.#timer = setTimeout(() => this.load(what), done.every(Boolean) ? AGAIN_MS : RETRY_MS);
  }

  async #loadOne(chart, { host, policy, seconds }, signal) {
    try {
      const requests = chart.panel.sources.map(({ metric, tag }) =>
        this.#api.history({ metric, tag, host, policy, seconds }, signal),
      );
      const histories = await Promise.all(requests);
      if (signal.aborted) return false;
      chart.load(histories, seconds);
      return true;
    } catch (error) {
      if (!signal.aborted) chart.fail(`The history could not be loaded: ${error.message}`);
      return false;
    } finally {
      if (!signal.aborted) this.#onLoaded();
    }
  }
}
