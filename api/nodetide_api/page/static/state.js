// What the page shows, kept in the address after "#", so that a view can be shared and the back button works.

/** The ranges offered: id, seconds, and what a screen reader says. */
export const RANGES = [
  { id: "5m", seconds: 300, label: "5 minutes" },
  { id: "15m", seconds: 900, label: "15 minutes" },
  { id: "1h", seconds: 3600, label: "1 hour" },
  { id: "6h", seconds: 21_600, label: "6 hours" },
  { id: "24h", seconds: 86_400, label: "24 hours" },
  { id: "7d", seconds: 604_800, label: "7 days" },
  { id: "30d", seconds: 2_592_000, label: "30 days" },
  { id: "1y", seconds: 31_536_000, label: "1 year" },
];

const DEFAULT_RANGE = "5m";

/** The range of an id; the default one for an id that is none. */
export function rangeOf(id) {
  return RANGES.find((range) => range.id === id) ?? RANGES.find((range) => range.id === DEFAULT_RANGE);
}

/**
 * @param {string} hash as `location.hash` gives it
 * @returns {{range: string, host: string, policy: string}} empty texts where nothing was chosen
 */
export function parseHash(hash) {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  return {
    range: rangeOf(values.get("range")).id,
    host: values.get("host") ?? "",
    policy: values.get("policy") ?? "",
  };
}

/** The shortest hash that `parseHash` reads back as `view`. */
export function formatHash(view) {
  const values = new URLSearchParams();
  if (view.range !== DEFAULT_RANGE) values.set("range", view.range);
  if (view.host) values.set("host", view.host);
  if (view.policy) values.set("policy", view.policy);
  const text = values.toString();
  return text ? `#${text}` : "#";
}
