// The small trend in a tile, as an SVG path. Pure.

export const WIDTH = 120;
export const HEIGHT = 28;
const POINTS = 60;

/**
 * @param {(number|null)[][]} rows as `rows` of series.js gives them
 * @param {(values: number[]) => number} combine the lines of one moment as one value
 * @param {{start: number, end: number, top: number}} frame seconds, and the value at the upper edge unless a
 *     greater one comes
 * @returns {string} path data in a box of WIDTH × HEIGHT; gaps stay gaps
 */
export function trend(rows, combine, { start, end, top }) {
  const buckets = new Map();
  for (const [time, ...cells] of rows) {
    const values = cells.filter((value) => value !== null);
    if (values.length === 0) continue;
    const bucket = Math.floor(((time / 1000 - start) / (end - start)) * POINTS);
    const known = values.filter((value) => !Number.isNaN(value));
    const seen = buckets.get(bucket) ?? { sum: 0, count: 0, broken: false };
    if (known.length > 0) {
      seen.sum += combine(known);
      seen.count += 1;
    } else seen.broken = true;
    buckets.set(bucket, seen);
  }
  const highest = [...buckets.values()].reduce((most, { sum, count }) => Math.max(most, count > 0 ? sum / count : 0), top);
  let path = "";
  let pen = "M";
  for (const [bucket, { sum, count, broken }] of [...buckets].sort(([a], [b]) => a - b)) {
    if (count > 0) {
      const x = Math.min(WIDTH, Math.max(0, (bucket / (POINTS - 1)) * WIDTH));
      const y = HEIGHT - 1 - (sum / count / highest) * (HEIGHT - 2);
      path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
    }
    if (broken) pen = "M";
  }
  return path;
}
