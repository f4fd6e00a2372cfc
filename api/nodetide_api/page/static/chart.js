// One card with a chart and, as its legend and its text alternative, a table of the same lines.

import { el, reconcile, setText } from "./dom.js";
import { clock, text } from "./format.js";
import { Plot } from "./plot.js";
import { PlotData } from "./plotdata.js";
import { colour } from "./theme.js";
import { scale } from "./ticks.js";

const COLOURS = ["line1", "line2", "line3", "line4", "line5"];
const DAY = 86_400;

/** Heads the column of the newest values; over long ranges they are means of the last step. */
const LAST = "Last";

/** A chart on the page. */
export class Chart {
  #panel;
  #data;
  #plot;
  #surface = el("div", { class: "surface" });
  #cursor = el("div", { class: "cursor", hidden: true });
  #message = el("p", { class: "message" }, "Waiting for data…");
  #area;
  #note = el("p", { class: "note" });
  #valueHead = el("th", { scope: "col" }, LAST);
  #body = el("tbody");
  #frame = null;
  #problem = null;

  /**
   * @param {import("./panels.js").Panel} panel
   */
  constructor(panel) {
    this.#panel = panel;
    this.#data = new PlotData(panel);
    this.#plot = new Plot(this.#surface, panel.unit);
    this.#area = el(
      "div",
      {
        class: "plot",
        tabindex: 0,
        role: "slider",
        "aria-label": `${panel.title}: moment shown`,
        "aria-orientation": "horizontal",
      },
      this.#surface,
      this.#cursor,
      this.#message,
    );
    const heading = el("h2", { id: `chart-${panel.id}-title` }, panel.title);
    this.element = el(
      "section",
      { class: "card", id: `chart-${panel.id}`, "aria-labelledby": heading.id },
      el("div", { class: "card-head" }, heading, this.#note),
      this.#area,
      el(
        "div",
        { class: "scroll" },
        el(
          "table",
          { class: "legend" },
          el(
            "thead",
            {},
            el(
              "tr",
              {},
              el("th", { scope: "col" }, el("span", { class: "sr" }, "Line")),
              this.#valueHead,
              ...["Min", "Mean", "Max"].map((title) => el("th", { scope: "col" }, title)),
            ),
          ),
          this.#body,
        ),
      ),
    );
    new ResizeObserver(() => this.#plot.fit()).observe(this.#surface);
  }

  get panel() {
    return this.#panel;
  }

  /** The element that takes the pointer and the keys of the crosshair. */
  get area() {
    return this.#area;
  }

  get data() {
    return this.#data;
  }

  /** The seconds drawn, or null before the first drawing. */
  get range() {
    return this.#frame;
  }

  /** Seconds that the crosshair moves by one key press. */
  get step() {
    return Math.max(this.#data.step, this.#data.span / 300);
  }

  /** Takes a history and draws with the next `draw`. */
  load(histories, span) {
    this.#problem = null;
    this.#data.load(histories, span);
  }

  /** Says why there is no history. */
  fail(problem) {
    this.#problem = problem;
  }

  /** Forgets data: another host or policy. */
  clear() {
    this.#problem = null;
    this.#data.clear();
  }

  /** Lets go of colours, which the next `draw` takes from the theme. */
  forget() {
    this.#plot.clear();
  }

  /**
   * Draws `[start, end]`.
   * @returns {{rows: (number|null)[][], frame: {start: number, end: number, top: number}}}
   */
  draw(start, end) {
    const { limits, unit } = this.#panel;
    const lines = this.#data.lines;
    const rows = this.#data.rows(start);
    const frame = { start, end, ...scale(this.#data.greatest(start), unit, limits) };
    this.#frame = frame;
    const empty = rows.length === 0;
    const message = this.#problem ?? (this.#data.loaded ? this.#absence() : "Waiting for data…");
    setText(this.#message, message);
    this.#message.hidden = !empty;
    this.#surface.classList.toggle("empty", empty);
    if (!empty) this.#plot.draw(rows, this.#styles(lines), frame);
    const { groups } = this.#data;
    const most = this.#panel.most ?? Infinity;
    setText(this.#note, this.#problem && !empty ? this.#problem : groups > most ? `top ${most} of ${groups}` : "");
    return { rows, frame };
  }

  /**
   * Shows a moment, or now.
   * @param {number|null} time seconds
   */
  show(time) {
    const x = time === null ? this.#plot.unmark() : this.#plot.mark(time);
    this.#cursor.hidden = x === null;
    if (x !== null) this.#cursor.style.transform = `translateX(${Math.round(x)}px)`;
    this.#legend(time);
  }

  /** Seconds at a pointer's position. */
  timeAt(clientX) {
    const time = this.#plot.timeAt(clientX - this.#surface.getBoundingClientRect().left);
    if (time === null || !this.#frame) return null;
    return Math.min(this.#frame.end, Math.max(this.#frame.start, time));
  }

  #absence() {
    return this.#panel.absent && !this.#data.sampled ? this.#panel.absent : "No data in this range.";
  }

  #colour(lines, line) {
    const groups = [...new Set(lines.map((entry) => entry.line.group))];
    return COLOURS[groups.indexOf(line.group) % COLOURS.length];
  }

  #styles(lines) {
    return lines.map(({ line }) => ({
      stroke: colour(this.#colour(lines, line)),
      dashed: line.dashed ?? false,
      fill: this.#panel.area?.includes(line.key) ?? false,
    }));
  }

  #legend(time) {
    if (!this.#frame) return;
    const { start, end } = this.#frame;
    const { unit } = this.#panel;
    const lines = this.#data.lines;
    setText(this.#valueHead, time === null ? LAST : clock(time, end - start > DAY / 2));
    const said = [];
    reconcile(
      this.#body,
      lines,
      ({ line }) => line.key,
      ({ line }) =>
        el(
          "tr",
          {},
          el("th", { scope: "row", title: line.label }, el("i", { class: "swatch", "aria-hidden": "true" }), el("span", {}, line.label)),
          ...Array.from({ length: 4 }, () => el("td")),
        ),
      (row, { line, series }) => {
        const stats = series.stats(start);
        const shown = time === null ? (stats?.last ?? null) : series.at(time);
        const [name, ...cells] = row.children;
        name.firstChild.dataset.line = `${this.#colour(lines, line)}${line.dashed ? " dashed" : ""}`;
        [shown, stats?.min, stats?.mean, stats?.max].forEach((value, index) => setText(cells[index], text(value, unit)));
        said.push(`${line.label} ${text(shown, unit)}`);
      },
    );
    this.#body.parentElement.hidden = lines.length === 0;
    this.#describe(time ?? end, said);
  }

  #describe(time, said) {
    const { start, end } = this.#frame;
    this.#area.setAttribute("aria-valuemin", String(Math.floor(start)));
    this.#area.setAttribute("aria-valuemax", String(Math.floor(end)));
    this.#area.setAttribute("aria-valuenow", String(Math.floor(time)));
    const values = said.length > 0 ? said.join(", ") : this.#message.textContent;
    this.#area.setAttribute("aria-valuetext", `${clock(time, end - start > DAY / 2)}: ${values}`);
  }
}
