// Puts the page together: the view in the address, the session with the server, and what is drawn when.

import { AlertPoller, AlertsView } from "./alerts.js";
import { Api } from "./api.js";
import { Chart } from "./chart.js";
import { Cores } from "./cores.js";
import { setUpCrosshair } from "./crosshair.js";
import { setText } from "./dom.js";
import { follow } from "./feed.js";
import { zone } from "./format.js";
import { Choice, facts, RangeButtons, StatusView } from "./header.js";
import { HistoryLoader } from "./history.js";
import { PANELS } from "./panels.js";
import { Reconnector } from "./reconnect.js";
import { snapshot } from "./snapshot.js";
import { formatHash, parseHash, rangeOf } from "./state.js";
import { Filesystems, Interfaces } from "./tables.js";
import { setUpTheme } from "./theme.js";
import { makeTiles } from "./tiles.js";
import { setUpToken, storedToken } from "./token.js";

const byId = (id) => document.getElementById(id);

/** The page; made once. */
class Page {
  #view = parseHash(location.hash);
  #host = "";
  #link = { phase: "connecting" };
  #trouble = null;
  /** The newest sample: when it came, how old it was then, and the server's time then. */
  #sample = null;
  #drawnAt = 0;
  #drawing = 0;
  #ticker = 0;

  #api = new Api(storedToken);
  #charts = PANELS.map((panel) => new Chart(panel));
  #details = [new Cores(), new Filesystems(), new Interfaces()];
  #tiles = makeTiles(byId("tiles"));
  #crosshair = setUpCrosshair(this.#charts);
  #history = new HistoryLoader(this.#api, this.#charts, () => this.#drawSoon());
  #session = new Reconnector(
    (signal, alive) => follow(this.#api, this.#view, this.#listener, signal, alive),
    (link) => this.#onPhase(link),
  );

  #alertsView = new AlertsView((change) => formatHash({ ...this.#view, ...change }));
  #alerts = new AlertPoller(this.#api, (answer) => this.#alertsView.show(answer));

  #ranges = new RangeButtons(byId("ranges"), (range) => this.#go({ range }));
  #hosts = new Choice(byId("host-choice"), (host) => this.#go({ host }));
  #policies = new Choice(byId("policy-choice"), (policy) => this.#go({ policy, host: "" }));
  #status = new StatusView(() => this.#session.hurry());
  #tokenForm = setUpToken(byId("token-form"), () => this.#session.start());

  #listener = {
    start: (nodes, policies, host) => this.#onStart(nodes, policies, host),
    sample: (current) => this.#onSample(current),
    trouble: (trouble) => {
      this.#trouble = trouble;
      if (trouble) this.#alerts.stop();
      this.#showStatus();
    },
    retry: (milliseconds) => {
      this.#session.asked = milliseconds;
    },
  };

  constructor() {
    this.#arrange();
    setUpTheme(byId("theme"), () => {
      this.#charts.forEach((chart) => chart.forget());
      this.#drawSoon();
    });
    addEventListener("hashchange", () => this.#onView(parseHash(location.hash)));
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    byId("skip").addEventListener("click", (event) => {
      // The address after "#" holds the view.
      event.preventDefault();
      byId("main").focus();
    });
    setText(byId("zone"), zone());
    this.#ranges.show(this.#view.range);
    this.#onVisibility();
  }

  #arrange() {
    const cards = new Map([...this.#charts, ...this.#details].map(({ element }) => [element.id, element]));
    const order = ["chart-cpu", "cores", "chart-memory", "chart-load", "chart-pressure", "chart-diskio"];
    order.push("chart-network", "interfaces", "chart-disk", "filesystems");
    byId("grid").append(...order.map((id) => cards.get(id)));
  }

  /** Changes the view through the address, so that going back undoes it. */
  #go(change) {
    const hash = formatHash({ ...this.#view, ...change });
    if (hash !== formatHash(this.#view)) location.hash = hash;
  }

  #onView(view) {
    const before = this.#view;
    this.#view = view;
    this.#ranges.show(view.range);
    if (view.host !== before.host || view.policy !== before.policy) {
      this.#forget();
      if (!document.hidden) this.#session.start();
    } else if (view.range !== before.range && this.#host) this.#loadHistory();
  }

  #forget() {
    this.#host = "";
    this.#sample = null;
    this.#history.stop();
    for (const chart of this.#charts) chart.clear();
    for (const tile of this.#tiles.values()) tile.show(null);
    for (const detail of this.#details) detail.show(snapshot({ series: [] }));
    setText(byId("facts"), "");
    this.#drawSoon();
  }

  #onVisibility() {
    clearInterval(this.#ticker);
    if (document.hidden) {
      this.#session.stop();
      this.#history.stop();
      this.#onPhase({ phase: "paused" });
      return;
    }
    this.#session.start();
    this.#ticker = setInterval(() => this.#tick(), 1000);
  }

  #onPhase(link) {
    this.#link = link;
    if (link.phase !== "open") this.#alerts.stop();
    if (link.phase === "open" || link.phase === "connecting") this.#trouble = null;
    if (link.phase === "waiting") this.#history.stop();
    if (link.phase === "locked") this.#tokenForm.ask();
    else if (link.phase === "open") this.#tokenForm.hide();
    this.#showStatus();
  }

  #onStart(nodes, policies, host) {
    this.#host = host;
    const shown = this.#hosts.show(
      nodes.map((node) => ({ value: node.host, text: node.stale ? `${node.host} (stale)` : node.host })),
      host,
    );
    byId("host-name").hidden = shown;
    setText(byId("host-name"), host);
    const names = policies.map(({ name }) => ({ value: name, text: name }));
    this.#policies.show(names, this.#view.policy || (names[0]?.value ?? ""));
    if (host) this.#loadHistory();
  }

  #loadHistory() {
    const { range, policy } = this.#view;
    this.#history.load({ host: this.#host, policy, seconds: rangeOf(range).seconds });
  }

  #onSample(current) {
    const host = current.hosts.find((candidate) => candidate.host === this.#host);
    this.#sample = {
      at: Date.now(),
      age: host ? host.age_seconds : Infinity,
      staleAfter: current.stale_after_seconds,
      serverTime: Date.parse(current.time) / 1000,
    };
    this.#trouble = null;
    this.#alerts.start();
    if (host) {
      const now = snapshot(host);
      for (const tile of this.#tiles.values()) tile.show(now);
      for (const detail of this.#details) detail.show(now);
      for (const chart of this.#charts) chart.data.push(host);
      setText(byId("facts"), facts(now));
    }
    this.#showStatus();
    this.#drawWhenDue();
  }

  #tick() {
    this.#showStatus();
    this.#drawWhenDue();
  }

  #showStatus() {
    const sample = this.#sample && {
      age: this.#sample.age + this.#elapsed(),
      staleAfter: this.#sample.staleAfter,
    };
    this.#status.show({ ...this.#link, trouble: this.#trouble }, sample, this.#host);
  }

  /** Seconds since the newest sample came. */
  #elapsed() {
    return Math.max(0, (Date.now() - this.#sample.at) / 1000);
  }

  /** The server's time now, in seconds. */
  #now() {
    return this.#sample ? this.#sample.serverTime + this.#elapsed() : Date.now() / 1000;
  }

  /** Draws as often as a pixel's worth of time passes, at least every 30 s. */
  #drawWhenDue() {
    const seconds = Math.min(30, Math.max(1, rangeOf(this.#view.range).seconds / 600));
    if (Date.now() - this.#drawnAt >= seconds * 900) this.#drawSoon();
  }

  #drawSoon() {
    if (this.#drawing || document.hidden) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  #draw() {
    this.#drawnAt = Date.now();
    const end = this.#now();
    for (const chart of this.#charts) {
      const { rows, frame } = chart.draw(end - chart.data.span, end);
      this.#tiles.get(chart.panel.id)?.draw(rows, frame);
    }
    this.#crosshair.refresh();
    const { loaded, step, tier } = this.#charts[0].data;
    setText(byId("resolution"), loaded ? `One point per ${step} s, tier ${tier}` : "");
  }
}

new Page();
