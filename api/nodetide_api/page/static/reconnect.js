// Keeps one session with the server alive: starts it again after it ends, with growing pauses.

import { ApiError } from "./api.js";

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;

/** A connection that has been silent for this long is taken for dead; the server says something every 15 s or less. */
const SILENCE = 40_000;

/**
 * The pause before the next attempt, in milliseconds.
 * @param {number} failures attempts that failed in a row, at least 1
 * @param {number|null} asked what the server asked for
 * @param {number} random in [0, 1): spreads the pages that lost the same server
 */
export function pause(failures, asked, random) {
  const grown = Math.min(LONGEST_PAUSE, Math.max(asked ?? 0, FIRST_PAUSE) * 2 ** Math.min(failures - 1, 10));
  return Math.round(grown * (0.8 + 0.4 * random));
}

/** Why a session ended, for people. */
export function reasonOf(error) {
  if (error instanceof ApiError) return `The server cannot answer: ${error.message}`;
  if (error instanceof TypeError) return "The server cannot be reached.";
  return error?.message || "The server closed the connection.";
}

/** Runs sessions one after another until told to stop. */
export class Reconnector {
  #session;
  #onPhase;
  #running = null;
  #wake = null;
  asked = null;

  /**
   * @param {(signal: AbortSignal, alive: (good?: boolean) => void) => Promise<void>} session ends when the connection does;
   *     calls `alive` for every sign of life, with true once the server has sent what was asked for
   * @param {(link: import("./status.js").Link) => void} onPhase
   */
  constructor(session, onPhase) {
    this.#session = session;
    this.#onPhase = onPhase;
  }

  /** Starts anew; a session under way ends first. */
  start() {
    this.stop();
    const running = new AbortController();
    this.#running = running;
    void this.#run(running.signal);
  }

  /** Ends the session and the attempts. */
  stop() {
    this.#running?.abort();
    this.#running = null;
  }

  /** Cuts a pause short. */
  hurry() {
    this.#wake?.();
  }

  async #run(stopped) {
    let failures = 0;
    this.#onPhase({ phase: "connecting" });
    while (!stopped.aborted) {
      const error = await this.#attempt(stopped, () => {
        failures = 0;
        this.#onPhase({ phase: "open" });
      });
      if (stopped.aborted) return;
      if (error instanceof ApiError && error.status === 401) {
        this.#onPhase({ phase: "locked" });
        return;
      }
      failures += 1;
      const wait = pause(failures, this.asked, Math.random());
      this.#onPhase({ phase: "waiting", reason: reasonOf(error), retryAt: Date.now() + wait });
      await this.#sleep(wait, stopped);
    }
  }

  /** @returns {Promise<unknown>} the error that ended the session, or null when the server closed it */
  async #attempt(stopped, opened) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    stopped.addEventListener("abort", abort);
    let watchdog;
    let silent = false;
    let open = false;
    const alive = (good = false) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => {
        silent = true;
        controller.abort();
      }, SILENCE);
      if (good && !open && !stopped.aborted) {
        open = true;
        opened();
      }
    };
    alive();
    try {
      await this.#session(controller.signal, alive);
      return null;
    } catch (error) {
      return silent ? new Error("The server has fallen silent.") : error;
    } finally {
      clearTimeout(watchdog);
      stopped.removeEventListener("abort", abort);
      controller.abort();
    }
  }

  #sleep(milliseconds, stopped) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        stopped.removeEventListener("abort", done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      stopped.addEventListener("abort", done);
      this.#wake = done;
    });
  }
}
