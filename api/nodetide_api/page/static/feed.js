// One session with the server: which hosts there are, then their samples as they come.

import { readEvents, SseParser } from "./sse.js";

/** What the page draws: nothing else is asked for, for a node with many cores has much to say. */
const METRICS = [
  ...["active", "user", "system", "iowait", "steal"].map((mode) => `cpu.usage_${mode}`),
  ...["total", "free", "used_percent", "inodes_total", "inodes_used_percent"].map((field) => `disk.${field}`),
  ...["mem", "swap", "system", "pressure", "diskio", "net"],
].join(",");

/** The host to show: the one chosen, else the first that is not stale, else the first. */
export function pickHost(chosen, nodes) {
  if (chosen) return chosen;
  return (nodes.find((node) => !node.stale) ?? nodes[0])?.host ?? "";
}

/**
 * Follows one host until the connection ends.
 * @param {import("./api.js").Api} api
 * @param {{host: string, policy: string}} view what was chosen; empty texts where nothing was
 * @param {object} on what is told of it
 * @param {(nodes: object[], policies: object[], host: string) => void} on.start
 * @param {(current: object) => void} on.sample
 * @param {(trouble: string|null) => void} on.trouble the server's own trouble, or its end
 * @param {(milliseconds: number) => void} on.retry
 * @param {AbortSignal} signal
 * @param {(good?: boolean) => void} alive
 */
export async function follow(api, view, on, signal, alive) {
  const [nodes, policies] = await Promise.all([api.nodes(view.policy, signal), api.policies(signal)]);
  const host = pickHost(view.host, nodes);
  on.start(nodes, policies, host);
  if (!host) throw new Error("No node has reported yet.");
  const response = await api.stream({ host, policy: view.policy, metric: METRICS }, signal);
  alive(true);
  const parser = new SseParser();
  for await (const event of readEvents(response.body, parser, alive)) {
    if (parser.retry !== null) on.retry(parser.retry);
    if (event.type === "sample") on.sample(JSON.parse(event.data));
    if (event.type === "status") {
      const { status, detail } = JSON.parse(event.data);
      on.trouble(status === "ok" ? null : detail);
    }
  }
}
