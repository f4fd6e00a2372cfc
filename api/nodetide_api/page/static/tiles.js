// The row of big numbers: what the host does now, each with its recent trend.

import { el, setText } from "./dom.js";
import { measure, NOTHING, text } from "./format.js";
import { HEIGHT, trend, WIDTH } from "./spark.js";

const first = (values) => values[0];
const total = (values) => values.reduce((sum, value) => sum + value, 0);
const most = (values) => Math.max(...values);

/** The number alone: the unit stands beside the big one. */
const bare = (value) => (value === null ? null : measure(value, "percent").value);
const parts = (...pairs) => pairs.filter(([value]) => value !== null).map(([value, word]) => `${word} ${value}`);
const one = (value, unit) => (value === null ? null : text(value, unit));

function cpuNote({ cpu }) {
  if (!cpu) return "";
  return parts(
    [bare(cpu.user), "user"],
    [bare(cpu.system), "system"],
    [bare(cpu.steal || null), "steal"],
  ).join(" · ");
}

function pressureValue({ pressure }) {
  const values = Object.values(pressure ?? {}).filter((value) => value !== null);
  return values.length > 0 ? Math.max(...values) : null;
}

function pressureNote({ pressure }) {
  if (!pressure) return "not available on this kernel";
  const names = { cpu: "CPU", memory: "mem", io: "I/O" };
  return parts(...Object.entries(names).map(([resource, name]) => [bare(pressure[resource] ?? null), name])).join(" · ");
}

/** Each tile: its big values (one or two), the line below, and how its chart's lines make one trend. */
const TILES = [
  { id: "cpu", title: "CPU", big: (now) => [[now.cpu?.active ?? null, "percent"]], note: cpuNote, combine: first },
  {
    id: "memory",
    title: "Memory",
    big: (now) => [[now.memory.percent, "percent"]],
    note: ({ memory }) =>
      memory.available === null ? "" : `${text(memory.available, "bytes")} available`,
    combine: first,
  },
  {
    id: "load",
    title: "Load",
    big: (now) => [[now.load.one, "none"]],
    note: ({ load }) =>
      parts([one(load.five, "none"), "5 min"], [one(load.fifteen, "none"), "15 min"]).join(" · "),
    combine: first,
  },
  {
    id: "pressure",
    title: "Pressure",
    big: (now) => [[pressureValue(now), "percent"]],
    note: pressureNote,
    combine: most,
  },
  {
    id: "diskio",
    title: "Disk",
    big: ({ disk }) => [
      [disk.read, "bytes_per_second", "read"],
      [disk.written, "bytes_per_second", "written"],
    ],
    note: () => "",
    combine: total,
  },
  {
    id: "network",
    title: "Network",
    big: ({ network }) => [
      [network.received, "bytes_per_second", "received"],
      [network.sent, "bytes_per_second", "sent"],
    ],
    note: () => "",
    combine: total,
  },
];

const SVG = "http://www.w3.org/2000/svg";

function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "spark");
  const path = document.createElementNS(SVG, "path");
  svg.append(path);
  return { svg, path };
}

class Tile {
  #spec;
  #values = el("div", { class: "values" });
  #note = el("p", { class: "note" });
  #spark = sparkline();
  #cells = [];

  constructor(spec) {
    this.#spec = spec;
    const heading = el("h2", { id: `tile-${spec.id}-title` }, spec.title);
    this.element = el(
      "article",
      { class: "tile", id: `tile-${spec.id}`, "aria-labelledby": heading.id },
      heading,
      this.#values,
      this.#note,
      this.#spark.svg,
    );
  }

  show(now) {
    const big = now ? this.#spec.big(now) : [[null, "percent"]];
    while (this.#cells.length < big.length) this.#add();
    big.forEach(([value, unit, word], index) => {
      const cell = this.#cells[index];
      const shown = measure(value, unit);
      setText(cell.value, shown.value);
      setText(cell.unit, shown.unit);
      setText(cell.word, word ?? "");
    });
    this.#values.classList.toggle("two", big.length > 1);
    const note = now ? this.#spec.note(now) : "";
    setText(this.#note, note);
    this.#note.hidden = note === "";
  }

  draw(rows, frame) {
    this.#spark.path.setAttribute("d", trend(rows, this.#spec.combine, frame));
  }

  #add() {
    const cell = {
      value: el("span", { class: "number" }, NOTHING),
      unit: el("span", { class: "unit" }),
      word: el("span", { class: "word" }),
    };
    this.#cells.push(cell);
    this.#values.append(el("div", { class: "value" }, cell.value, " ", cell.unit, " ", cell.word));
  }
}

/**
 * @param {HTMLElement} parent
 * @returns {Map<string, Tile>} by the id of the chart whose trend they show
 */
export function makeTiles(parent) {
  const tiles = new Map(TILES.map((spec) => [spec.id, new Tile(spec)]));
  for (const tile of tiles.values()) {
    tile.show(null);
    parent.append(tile.element);
  }
  return tiles;
}
