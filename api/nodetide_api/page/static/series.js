// One line of a chart: history, then live samples put into the same steps. Bounded, and pure.

/** A step this much later than expected is a gap. */
const SLACK = 1.5;

/**
 * The distance between neighbours that is normal for these times: the lower quartile of means over four of them,
 * so that neither single gaps nor a sampling interval that is no multiple of the step count as normal or as gaps.
 * @param {number[]} t ascending seconds
 * @param {number} step seconds; never less than this
 */
export function spacing(t, step) {
  if (t.length < 2) return step;
  const width = Math.min(4, t.length - 1);
  const means = [];
  for (let at = width; at < t.length; at += 1) means.push((t[at] - t[at - width]) / width);
  means.sort((a, b) => a - b);
  const typical = means[Math.floor((means.length - 1) / 4)];
  return Math.max(1, Math.ceil(typical / step - 1e-9)) * step;
}

/** The index of the time nearest to `time`, or -1 when there is none. */
export function nearest(t, time) {
  if (t.length === 0) return -1;
  let low = 0;
  let high = t.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low > 0 && time - t[low - 1] <= t[low] - time ? low - 1 : low;
}

/** Values over time with a fixed step and span. */
export class Series {
  t = [];
  v = [];
  #step;
  #span;
  #weight;
  #newest = -Infinity;

  /**
   * @param {number} step seconds per point
   * @param {number} span seconds kept
   */
  constructor(step, span) {
    this.#step = step;
    this.#span = span;
    this.#weight = step;
  }

  get step() {
    return this.#step;
  }

  /**
   * Takes a column of history. A later column of the same line (its tags changed on the way) joins the first.
   * @param {number[]} t start of each step
   * @param {(number|null)[]} v
   * @param {number} end the second before which the history ends
   */
  load(t, v, end) {
    const joined = new Map(this.t.map((time, index) => [time, this.v[index]]));
    t.forEach((time, index) => {
      if (v[index] !== null) joined.set(time, v[index]);
    });
    this.t = [...joined.keys()].sort((a, b) => a - b);
    this.v = this.t.map((time) => joined.get(time));
    const last = this.t.at(-1);
    if (last === undefined) return;
    // The seconds that the last step stands for so far; the samples in it must not count again.
    this.#weight = Math.max(1, Math.min(this.#step, end - last));
    this.#newest = Math.max(last, Math.min(last + this.#step, end) - 1);
  }

  /**
   * Takes a live sample; one that is already here, or older, is ignored.
   * @param {number} time seconds
   * @param {number} value
   */
  push(time, value) {
    if (time <= this.#newest || !Number.isFinite(value)) return;
    const start = time - (time % this.#step);
    const index = this.t.length - 1;
    if (index >= 0 && start <= this.t[index]) {
      // Weighted by the time each sample stands for, as the mean of the step will be.
      const seconds = Math.min(this.#step, time - Math.max(this.#newest, this.t[index]));
      this.v[index] = (this.v[index] * this.#weight + value * seconds) / (this.#weight + seconds);
      this.#weight += seconds;
    } else {
      this.t.push(start);
      this.v.push(value);
      this.#weight = 1;
    }
    this.#newest = time;
    this.#trim(time - this.#span - this.#step);
  }

  #trim(oldest) {
    // In lumps, so that an hour of pushing is not an hour of shifting.
    const extra = this.t.findIndex((time) => time >= oldest);
    if (extra < 64) return;
    this.t.splice(0, extra);
    this.v.splice(0, extra);
  }

  /** The index where `[start, …)` begins. */
  from(start) {
    const index = this.t.findIndex((time) => time >= start);
    return index < 0 ? this.t.length : index;
  }

  /** Last, least, mean and greatest value since `start`, or null without any. */
  stats(start = -Infinity) {
    const values = this.v.slice(this.from(start));
    if (values.length === 0) return null;
    let sum = 0;
    let min = Infinity;
    let max = -Infinity;
    for (const value of values) {
      sum += value;
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    return { last: values.at(-1), min, mean: sum / values.length, max };
  }

  /** The value at a time, or null when no step of this line is near it. */
  at(time) {
    const index = nearest(this.t, time);
    if (index < 0) return null;
    return Math.abs(this.t[index] - time) <= SLACK * spacing(this.t, this.#step) ? this.v[index] : null;
  }

  /** Pairs of time and value from `start` on, with NaN where a gap begins. */
  *points(start) {
    const widest = SLACK * spacing(this.t, this.#step);
    const first = this.from(start);
    for (let index = first; index < this.t.length; index += 1) {
      if (index > first && this.t[index] - this.t[index - 1] > widest) yield [this.t[index - 1] + this.#step, NaN];
      yield [this.t[index], this.v[index]];
    }
  }
}

/**
 * Lines as rows for the chart: milliseconds, then one cell per line. null: no point here, the line goes on;
 * NaN: the line is broken here.
 * @param {Series[]} lines
 * @param {number} start seconds
 * @returns {(number|null)[][]}
 */
export function rows(lines, start) {
  const byTime = new Map();
  lines.forEach((line, column) => {
    for (const [time, value] of line.points(start)) {
      let row = byTime.get(time);
      if (!row) {
        row = new Array(lines.length + 1).fill(null);
        row[0] = time * 1000;
        byTime.set(time, row);
      }
      row[column + 1] = value;
    }
  });
  return [...byTime.values()].sort((a, b) => a[0] - b[0]);
}
