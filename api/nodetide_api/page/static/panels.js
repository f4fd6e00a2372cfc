// Which charts there are, and which series of the API's answers make their lines. Pure.

/**
 * @typedef {object} Line
 * @property {string} key the same for history and live samples
 * @property {string} label
 * @property {string} group lines of one group share a colour
 * @property {boolean} [dashed]
 */

const word = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A line for one field, whatever the tags. */
const single = (label) => (_tags, field) => ({ key: field, label, group: field });

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

/**
 * @typedef {object} Panel
 * @property {string} id
 * @property {string} title
 * @property {{metric: string, measurement: string, fields: string[]}[]} sources `metric` for history; the rest for live samples
 * @property {string} unit of the values drawn
 * @property {boolean} counter whether live values are in `rates`
 * @property {{floor: number, ceiling?: number}} limits of the value axis
 * @property {(tags: Object, field: string, measurement: string) => Line|null} line
 * @property {number} [most] groups drawn at most: the greatest ones
 * @property {string} absent said when there is nothing to draw and never was
 */

/** @type {Panel[]} */
export const PANELS = [
  {
    id: "cpu",
    title: "CPU",
    sources: [{ metric: "cpu", measurement: "cpu", fields: ["usage_active"] }],
    unit: "percent",
    counter: false,
    limits: { floor: 100, ceiling: 100 },
    line: (tags) => (tags.cpu === "cpu-total" ? { key: "active", label: "All CPUs", group: "active" } : null),
    absent: "No data in this range.",
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
    absent: "No data in this range.",
  },
  {
    id: "load",
    title: "Load",
    sources: [{ metric: "load", measurement: "system", fields: ["load1", "load5", "load15"] }],
    unit: "none",
    counter: false,
    limits: { floor: 1 },
    line: (_tags, field) => single({ load1: "1 min", load5: "5 min", load15: "15 min" }[field])(_tags, field),
    absent: "No data in this range.",
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
    absent: "No data in this range.",
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
    absent: "No data in this range.",
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
    absent: "No data in this range.",
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
    const source = panel.sources.find((candidate) => candidate.measurement === series.measurement);
    if (!source) continue;
    const values = panel.counter ? series.rates : series.values;
    for (const field of source.fields) {
      const line = panel.line(series.tags, field, series.measurement);
      if (!line || typeof values[field] !== "number") continue;
      points.push({ line, time: Math.floor(Date.parse(series.time) / 1000), value: values[field] });
    }
  }
  return points;
}

/** The lines of whole disks, where partitions beside them would count everything twice. */
export function withoutPartitions(names) {
  const all = new Set(names);
  return names.filter((name) => {
    const whole = /^(.*\d)p\d+$/.exec(name) ?? /^(.*\D)\d+$/.exec(name);
    return !(whole && all.has(whole[1]));
  });
}
