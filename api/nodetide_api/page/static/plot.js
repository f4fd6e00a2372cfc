// The drawing itself: dygraphs, with lines of our own that break where data is missing.

import { axisText, timeTick } from "./format.js";
import { colour } from "./theme.js";

/** Seconds of dygraphs' granularities, in its order from SECONDLY to CENTENNIAL. */
const GRANULARITIES = [
  1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 172_800, 604_800, 2_592_000,
];

/** A little room above, so that the uppermost line of the grid and its label are drawn. */
const HEADROOM = 1.03;

// Its legend writes HTML with inline styles, which our Content-Security-Policy forbids: ours is a table.
function plugins() {
  const { Dygraph } = window;
  Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);
  return Dygraph;
}

/** Splits points into runs: a null is passed over, a NaN ends the run. */
export function runs(points) {
  const found = [];
  let run = [];
  for (const point of points) {
    if (point.yval === null) continue;
    if (Number.isNaN(point.yval)) {
      if (run.length > 0) found.push(run);
      run = [];
    } else run.push(point);
  }
  if (run.length > 0) found.push(run);
  return found;
}

function drawLine({ drawingContext: canvas, points, plotArea }, { stroke, dashed, fill }) {
  canvas.save();
  canvas.strokeStyle = stroke;
  canvas.fillStyle = stroke;
  canvas.lineWidth = 1.5;
  canvas.lineJoin = "round";
  if (dashed) canvas.setLineDash([4, 3]);
  const bottom = plotArea.y + plotArea.h;
  for (const run of runs(points)) {
    const [start] = run;
    if (run.length === 1) {
      canvas.beginPath();
      canvas.arc(start.canvasx, start.canvasy, 1.75, 0, 2 * Math.PI);
      canvas.fill();
      continue;
    }
    canvas.beginPath();
    canvas.moveTo(start.canvasx, start.canvasy);
    for (const { canvasx, canvasy } of run) canvas.lineTo(canvasx, canvasy);
    canvas.stroke();
    if (fill) {
      canvas.lineTo(run.at(-1).canvasx, bottom);
      canvas.lineTo(start.canvasx, bottom);
      canvas.globalAlpha = 0.12;
      canvas.fill();
      canvas.globalAlpha = 1;
    }
  }
  canvas.restore();
}

/** A chart of lines in an element. */
export class Plot {
  #element;
  #unit;
  #graph = null;
  #styles = [];
  #ticks = [];
  #rows = [];

  /**
   * @param {HTMLElement} element
   * @param {string} unit of the values
   */
  constructor(element, unit) {
    this.#element = element;
    this.#unit = unit;
  }

  /**
   * @param {(number|null)[][]} rows at least one
   * @param {{stroke: string, dashed: boolean, fill: boolean}[]} styles one per line
   * @param {{start: number, end: number, top: number, ticks: number[]}} frame seconds and values
   */
  draw(rows, styles, { start, end, top, ticks }) {
    this.#ticks = ticks;
    this.#rows = rows;
    const changing = { file: rows, dateWindow: [start * 1000, end * 1000], valueRange: [0, top * HEADROOM] };
    if (this.#graph && this.#styles.length === styles.length) {
      this.#styles = styles;
      this.#graph.updateOptions(changing);
      return;
    }
    this.clear();
    this.#styles = styles;
    this.#graph = this.#make(rows, changing);
  }

  /** Lets go of the drawing, as for another theme. */
  clear() {
    this.#graph?.destroy();
    this.#graph = null;
  }

  /** Fits the drawing to the element's size. */
  fit() {
    this.#graph?.resize();
  }

  /** Seconds at a horizontal position in the element, or null without a drawing. */
  timeAt(x) {
    return this.#graph ? this.#graph.toDataXCoord(x) / 1000 : null;
  }

  /**
   * Marks the points nearest to a time.
   * @returns {number|null} their horizontal position, or null when the time is out of sight
   */
  mark(time) {
    if (!this.#graph) return null;
    const [start, end] = this.#graph.xAxisRange();
    if (time * 1000 < start || time * 1000 > end) return this.unmark();
    let nearest = -1;
    let least = Infinity;
    this.#rows.forEach(([at], index) => {
      const distance = Math.abs(at - time * 1000);
      if (distance < least) [nearest, least] = [index, distance];
    });
    this.#graph.clearSelection();
    this.#graph.setSelection(nearest);
    return this.#graph.toDomXCoord(time * 1000);
  }

  /** @returns {null} */
  unmark() {
    this.#graph?.clearSelection();
    return null;
  }

  #make(rows, changing) {
    const Dygraph = plugins();
    const unit = this.#unit;
    const wide = unit === "bytes_per_second";
    const { file, ...options } = changing;
    return new Dygraph(this.#element, file, {
      ...options,
      labels: rows[0].map((_, index) => (index === 0 ? "time" : `line ${index}`)),
      colors: this.#styles.map(({ stroke }) => stroke),
      connectSeparatedPoints: true,
      plotter: (event) => drawLine(event, this.#styles[event.seriesIndex]),
      interactionModel: {},
      highlightCircleSize: 3,
      gridLineColor: colour("grid"),
      axisLineColor: colour("grid"),
      rightGap: 6,
      axes: {
        x: {
          drawGrid: false,
          ticker: Dygraph.dateTicker,
          axisLabelFormatter: (at, granularity) =>
            timeTick(new Date(at), GRANULARITIES[granularity] ?? GRANULARITIES.at(-1)),
          pixelsPerLabel: 60,
          axisLabelWidth: 60,
        },
        y: {
          ticker: () => this.#ticks.map((v) => ({ v, label: axisText(v, unit) })),
          axisLabelWidth: wide ? 66 : 42,
        },
      },
    });
  }
}
