// What the page says about itself: live, stale or cut off. Pure.

import { duration } from "./format.js";

/**
 * @typedef {object} Link the connection to the server
 * @property {"connecting"|"open"|"waiting"|"locked"|"paused"} phase
 * @property {string} [reason] why it is waiting
 * @property {number} [retryAt] when it tries again, milliseconds
 */

/** A newest sample this much older than expected is stale even before the server says so. */
const GRACE_SECONDS = 2;

/**
 * @param {Link} link
 * @param {{age: number, staleAfter: number}|null} sample age of the newest sample now, in seconds; null before the first
 * @returns {"connecting"|"live"|"stale"|"disconnected"|"locked"|"paused"}
 */
export function judge(link, sample) {
  if (link.phase === "waiting") return "disconnected";
  if (link.phase === "locked" || link.phase === "paused") return link.phase;
  if (!sample) return "connecting";
  if (sample.age > sample.staleAfter + GRACE_SECONDS) return "stale";
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
  if (state === "stale") {
    return `The server answers, but no new sample has come for ${duration(sample.age)}. The collector of this host may have stopped.`;
  }
  return null;
}
