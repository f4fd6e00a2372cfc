// The lines of one panel: chosen from history, continued by live samples. No DOM.

import { livePoints } from "./panels.js";
import { rows, Series } from "./series.js";

/** Live samples kept while a history is on its way, so that nothing falls between the two. */
const RECENT = 120;

/** The data behind one chart. */
export class PlotData {
  #panel;
  #recent = [];
  /** @type {Map<string, {line: import("./panels.js").Line, series: Series}>} */
  #lines = new Map();

  /** Groups found in the history, drawn or not. */
  groups = 0;

  /** Whether a history has been loaded. */
  loaded = false;

  /** Seconds per point. */
  step = 1;

  /** Seconds shown. */
  span = 300;

  /** The tier that answered. */
  tier = "";

  /** @param {import("./panels.js").Panel} panel */
  constructor(panel) {
    this.#panel = panel;
  }

  /** Forgets everything: another host or policy. */
  clear() {
    this.#lines = new Map();
    this.#recent = [];
    this.groups = 0;
    this.loaded = false;
  }

  /**
   * Replaces everything by the answers of the history, then replays the samples that came meanwhile.
   * @param {object[]} histories `History` answers, one per source
   * @param {number} span seconds
   */
  load(histories, span) {
    this.step = Math.max(...histories.map((history) => history.step_seconds));
    this.span = span;
    this.tier = histories[0].tier;
    this.#lines = new Map();
    for (const history of histories) {
      const end = Date.parse(history.end) / 1000;
      for (const column of history.series) {
        const line = this.#panel.line(column.tags, column.field, column.measurement);
        if (!line) continue;
        let entry = this.#lines.get(line.key);
        if (!entry) {
          entry = { line, series: new Series(history.step_seconds, span) };
          this.#lines.set(line.key, entry);
        }
        entry.series.load(column.t, column.v, end);
      }
    }
    this.loaded = true;
    this.#choose();
    for (const points of this.#recent) this.#take(points);
  }

  /** Takes a live sample of the host. */
  push(host) {
    const points = livePoints(this.#panel, host);
    if (points.length === 0) return;
    this.#recent.push(points);
    if (this.#recent.length > RECENT) this.#recent.shift();
    if (this.loaded) this.#take(points);
  }

  /** The lines drawn, in order. */
  get lines() {
    return [...this.#lines.values()];
  }

  /** Whether there is anything to draw since `start`. */
  has(start) {
    return this.lines.some(({ series }) => series.t.length > 0 && series.t.at(-1) >= start);
  }

  rows(start) {
    return rows(
      this.lines.map(({ series }) => series),
      start,
    );
  }

  /** The greatest value since `start`, 0 without any. */
  greatest(start) {
    return this.lines.reduce((most, { series }) => Math.max(most, series.stats(start)?.max ?? 0), 0);
  }

  /** Whether the host has sampled any of it lately. */
  get sampled() {
    return this.#recent.length > 0;
  }

  #keep(names) {
    return this.#panel.keep ? this.#panel.keep(names) : names;
  }

  #choose() {
    const most = this.#panel.most ?? Infinity;
    const totals = new Map();
    for (const { line, series } of this.#lines.values()) {
      totals.set(line.group, (totals.get(line.group) ?? 0) + (series.stats()?.mean ?? 0));
    }
    const names = this.#keep([...totals.keys()]);
    this.groups = names.length;
    names.sort((a, b) => totals.get(b) - totals.get(a) || a.localeCompare(b));
    const chosen = names.slice(0, most);
    const kept = [...this.#lines.entries()].filter(([, { line }]) => chosen.includes(line.group));
    if (most < Infinity) kept.sort(([, a], [, b]) => chosen.indexOf(a.line.group) - chosen.indexOf(b.line.group));
    const order = this.#panel.order;
    if (order) kept.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
    this.#lines = new Map(kept);
  }

  #take(points) {
    for (const { line, time, value } of points) {
      let entry = this.#lines.get(line.key);
      if (!entry) {
        if (!this.#admits(line)) continue;
        entry = { line, series: new Series(this.step, this.span) };
        this.#lines.set(line.key, entry);
      }
      entry.series.push(time, value);
    }
  }

  /** A line the history did not have joins while there is room; the next history chooses anew. */
  #admits(line) {
    const groups = new Set(this.lines.map((entry) => entry.line.group));
    if (groups.has(line.group)) return true;
    return this.#keep([...groups, line.group]).includes(line.group) && groups.size < (this.#panel.most ?? Infinity);
  }
}
