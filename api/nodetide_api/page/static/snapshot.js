// What one host says now, taken from a `Current` answer: plain values for tiles, cells and tables. Pure.

import { withoutPartitions } from "./panels.js";

const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
const sum = (items, pick) => {
  const values = items.map(pick).filter((value) => value !== null);
  return values.length > 0 ? values.reduce((total, value) => total + value, 0) : null;
};
const byName = (a, b) => a.name.localeCompare(b.name, "en", { numeric: true });

const usage = ({ values }) => ({
  active: number(values.usage_active),
  user: number(values.usage_user),
  system: number(values.usage_system),
  steal: number(values.usage_steal),
});

function core(series) {
  return { name: series.tags.cpu, active: number(series.values.usage_active) };
}

function filesystem({ tags, values }) {
  return {
    name: tags.path,
    device: tags.device ?? "",
    type: tags.fstype ?? "",
    readOnly: tags.mode === "ro",
    total: number(values.total),
    free: number(values.free),
    percent: number(values.used_percent),
    inodesPercent: number(values.inodes_total) ? number(values.inodes_used_percent) : null,
  };
}

function device({ tags, rates }) {
  return {
    name: tags.name,
    read: number(rates.read_bytes),
    written: number(rates.write_bytes),
  };
}

const TROUBLES = ["err_in", "err_out", "drop_in", "drop_out"];

function networkInterface({ tags, rates, values }) {
  const troubles = TROUBLES.map((field) => number(rates[field])).filter((rate) => rate !== null);
  return {
    name: tags.interface,
    received: number(rates.bytes_recv),
    sent: number(rates.bytes_sent),
    troubles: troubles.length > 0 ? troubles.reduce((a, b) => a + b, 0) : null,
    megabits: values.speed > 0 ? values.speed : null,
  };
}

function pressure(series) {
  const found = {};
  for (const { tags, values } of series) {
    if (tags.type === "some") found[tags.resource] = number(values.avg10);
  }
  return series.length > 0 ? found : null;
}

/**
 * @param {object} host an element of `Current.hosts`
 */
export function snapshot(host) {
  const of = (measurement) => host.series.filter((series) => series.measurement === measurement);
  const cpus = of("cpu");
  const total = cpus.find((series) => series.tags.cpu === "cpu-total");
  const memory = of("mem")[0]?.values ?? {};
  const system = of("system")[0]?.values ?? {};
  const disks = of("diskio").map(device);
  const whole = new Set(withoutPartitions(disks.map((disk) => disk.name)));
  // "all" is not an interface: it carries the node's TCP and UDP counters.
  const interfaces = of("net").filter((series) => series.tags.interface !== "all").map(networkInterface);
  const wires = interfaces.filter((item) => item.name !== "lo");
  const counted = disks.filter((disk) => whole.has(disk.name));
  return {
    cpu: total ? usage(total) : null,
    cores: cpus.filter((series) => series !== total).map(core).sort(byName),
    memory: {
      percent: number(memory.used_percent),
      used: number(memory.used),
      total: number(memory.total),
      available: number(memory.available),
    },
    load: {
      one: number(system.load1),
      five: number(system.load5),
      fifteen: number(system.load15),
      cpus: number(system.n_cpus),
    },
    uptime: number(system.uptime),
    pressure: pressure(of("pressure")),
    disk: { read: sum(counted, (disk) => disk.read), written: sum(counted, (disk) => disk.written) },
    network: { received: sum(wires, (item) => item.received), sent: sum(wires, (item) => item.sent) },
    filesystems: of("disk").map(filesystem).sort(byName),
    interfaces: interfaces.sort(byName),
  };
}
