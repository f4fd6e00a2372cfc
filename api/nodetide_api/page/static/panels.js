// Which charts there are, and which series of the API's answers make their lines. Pure.

/**
 * @typedef {object} Line
 * @property {string} key the same for history and live samples
 * @property {string} label
 * @property {string} group lines of one group share a colour
 * @property {boolean} [dashed]
 */

const word = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const MODES = { usage_active: "Busy", usage_system: "System", usage_iowait: "I/O wait" };
const LOADS = { load1: "1 min", load5: "5 min", load15: "15 min" };

/** Two lines per device: into it dashed, out of it solid. */
const pair = (tag, solid, dashed) => (tags, field) => {
  const name = tags[tag];
  if (field === solid.field) return { key: `${name} ${field}`, label: `${name} ${solid.word}`, group: name };
  if (field === dashed.field)
    return { key: `${name} ${field}`, label: `${name} ${dashed.word}`, group: name, dashed: true };
  return null;
};

/** Pressure of the whole CPU as `full` is always 0 and says nothing. */
function pressureLine(tags) {
  const { resource, type } = tags;
  if (!["cpu", "memory", "io"].includes(resource) || (resource === "cpu" && type === "full")) return null;
  const label = `${resource === "cpu" ? "CPU" : resource === "io" ? "I/O" : word(resource)} ${type}`;
  return { key: `${resource} ${type}`, label, group: resource, dashed: type === "full" };
}

/** Without the partitions of disks that are there as a whole: they would count everything twice. */
export function withoutPartitions(names) {
  const all = new Set(names);
  return names.filter((name) => {
    const whole = /^(.*\d)p\d+$/.exec(name) ?? /^(.*\D)\d+$/.exec(name);
    return !(whole && all.has(whole[1]));
  });
}

/**
 * @typedef {object} Panel
 * @property {string} id
 * @property {string} title
 * @property {{metric: string, tag?: string, measurement: string, fields: string[]}[]} sources `metric` and `tag` ask for
 *     history; `measurement` and `fields` find the same in live samples
 * @property {string} unit of the values drawn
 * @property {boolean} counter whether live values are in `rates`
 * @property {{floor: number, ceiling?: number}} limits of the value axis
 * @property {(tags: Object, field: string, measurement: string) => Line|null} line
 * @property {string[]} [order] keys in the order of the legend; without it, as they come
 * @property {string[]} [area] keys of lines filled below
 * @property {number} [most] groups drawn at most: the greatest ones
 * @property {(names: string[]) => string[]} [keep] which groups may be drawn at all
 * @property {string} [absent] said instead of an empty chart when the host does not sample it
 */

/** @type {Panel[]} */
export const PANELS = [
  {
    id: "cpu",
    title: "CPU",
    sources: Object.keys(MODES).map((field) => ({
      metric: `cpu.${field}`,
      tag: "cpu:cpu-total",
      measurement: "cpu",
      fields: [field],
    })),
    unit: "percent",
    counter: false,
    limits: { floor: 100, ceiling: 100 },
    line: (tags, field) => (tags.cpu === "cpu-total" ? { key: field, label: MODES[field], group: field } : null),
    area: ["usage_active"],
  },
  {
    id: "memory",
    title: "Memory",
    sources: [
      { metric: "memory", measurement: "mem", fields: ["used_percent"] },
      { metric: "swap", measurement: "swap", fields: ["used_percent"] },
    ],
    unit: "percent",
    counter: false,
    limits: { floor: 100, ceiling: 100 },
    line: (_tags, _field, measurement) => ({
      key: measurement,
      label: measurement === "mem" ? "Memory" : "Swap",
      group: measurement,
    }),
    area: ["mem"],
  },
  {
    id: "load",
    title: "Load",
    sources: [{ metric: "load", measurement: "system", fields: ["load1", "load5", "load15"] }],
    unit: "none",
    counter: false,
    limits: { floor: 1 },
    line: (_tags, field) => ({ key: field, label: LOADS[field], group: field }),
    order: Object.keys(LOADS),
    area: ["load1"],
  },
  {
    id: "pressure",
    title: "Pressure",
    sources: [{ metric: "pressure", measurement: "pressure", fields: ["avg10"] }],
    unit: "percent",
    counter: false,
    // Stalls of one percent already matter: on a full scale they would be a flat line.
    limits: { floor: 5, ceiling: 100 },
    line: pressureLine,
    order: ["cpu some", "memory some", "memory full", "io some", "io full"],
    absent: "Pressure is not available on this kernel.",
  },
  {
    id: "diskio",
    title: "Disk throughput",
    sources: [{ metric: "diskio", measurement: "diskio", fields: ["read_bytes", "write_bytes"] }],
    unit: "bytes_per_second",
    counter: true,
    limits: { floor: 1024 },
    line: pair("name", { field: "read_bytes", word: "read" }, { field: "write_bytes", word: "written" }),
    most: 3,
    keep: withoutPartitions,
  },
  {
    id: "network",
    title: "Network",
    sources: [{ metric: "network", measurement: "net", fields: ["bytes_recv", "bytes_sent"] }],
    unit: "bytes_per_second",
    counter: true,
    limits: { floor: 1024 },
    line: pair("interface", { field: "bytes_recv", word: "received" }, { field: "bytes_sent", word: "sent" }),
    most: 3,
  },
  {
    id: "disk",
    title: "Disk space used",
    sources: [{ metric: "disk", measurement: "disk", fields: ["used_percent"] }],
    unit: "percent",
    counter: false,
    limits: { floor: 100, ceiling: 100 },
    line: (tags) => ({ key: tags.path, label: tags.path, group: tags.path }),
    most: 5,
  },
];

/**
 * The points a live sample has for a panel.
 * @param {Panel} panel
 * @param {object} host an element of `Current.hosts`
 * @returns {{line: Line, time: number, value: number}[]}
 */
export function livePoints(panel, host) {
  const points = [];
  for (const series of host.series) {
    const values = panel.counter ? series.rates : series.values;
    const fields = panel.sources.filter((source) => source.measurement === series.measurement);
    for (const field of fields.flatMap((source) => source.fields)) {
      const line = panel.line(series.tags, field, series.measurement);
      if (!line || typeof values[field] !== "number") continue;
      points.push({ line, time: Math.floor(Date.parse(series.time) / 1000), value: values[field] });
    }
  }
  return points;
}
