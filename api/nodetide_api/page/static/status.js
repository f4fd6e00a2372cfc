// What the page says about itself: live, stale or cut off. Pure.

import { duration } from "./format.js";

/**
 * @typedef {object} Link the connection to the server
 * @property {"connecting"|"open"|"waiting"|"locked"|"paused"} phase
 * @property {string} [reason] why it is waiting
 * @property {number} [retryAt] when it tries again, milliseconds
 * @property {string|null} [trouble] what the server says it cannot do now
 */

/**
 * @param {Link} link
 * @param {{age: number, staleAfter: number}|null} sample age of the newest sample now, in seconds; null before the first answer,
 *     infinite when the server has none of this host
 * @returns {"connecting"|"live"|"stale"|"disconnected"|"locked"|"paused"}
 */
export function judge(link, sample) {
  if (link.phase === "waiting") return "disconnected";
  if (link.phase === "locked" || link.phase === "paused") return link.phase;
  if (!sample) return link.trouble ? "stale" : "connecting";
  if (link.trouble || sample.age > sample.staleAfter) return "stale";
  return link.phase === "open" ? "live" : "connecting";
}

/** The word in the pill. */
export const WORDS = {
  connecting: "Connecting",
  live: "Live",
  stale: "Stale",
  disconnected: "Disconnected",
  locked: "Locked",
  paused: "Paused",
};

/**
 * The sentence of the banner, or null when all is well.
 * @param {ReturnType<typeof judge>} state
 * @param {Link} link
 * @param {{age: number, staleAfter: number}|null} sample
 * @param {number} now milliseconds
 */
export function explain(state, link, sample, now) {
  const shown = sample ? ` What you see is ${duration(sample.age)} old.` : "";
  if (state === "disconnected") {
    const wait = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
    return `${link.reason}${shown} ${wait > 0 ? `Trying again in ${wait} s.` : "Trying again."}`;
  }
  if (state === "stale" && link.trouble) return `The server cannot read its store: ${link.trouble}.${shown}`;
  if (state === "stale" && !Number.isFinite(sample.age)) return "No sample of this host in the last hour.";
  if (state === "stale") {
    return `The server answers, but no new sample has come for ${duration(sample.age)}. The collector of this host may have stopped.`;
  }
  return null;
}
