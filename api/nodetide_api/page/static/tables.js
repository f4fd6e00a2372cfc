// File systems and network interfaces, one row each.

import { level } from "./cores.js";
import { el, reconcile, setText } from "./dom.js";
import { text } from "./format.js";

function card(id, title, ...content) {
  const note = el("p", { class: "note" });
  const heading = el("h2", { id: `${id}-title` }, title);
  const element = el(
    "section",
    { class: "card", id, "aria-labelledby": heading.id },
    el("div", { class: "card-head" }, heading, note),
    ...content,
  );
  return { element, note };
}

/** Space of the mounted file systems as bars. */
export class Filesystems {
  #list = el("ul", { class: "filesystems" });
  #card = card("filesystems", "File systems", this.#list);

  element = this.#card.element;

  show({ filesystems }) {
    setText(this.#card.note, filesystems.length > 0 ? "" : "None sampled yet.");
    reconcile(
      this.#list,
      filesystems,
      (item) => [item.name, item.device, item.type].join("\n"),
      () =>
        el(
          "li",
          {},
          el("span", { class: "path" }),
          el("span", { class: "free" }),
          el("span", { class: "bar", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100 }, el("i")),
          el("span", { class: "share" }),
        ),
      (row, item) => {
        const [path, free, bar, share] = row.children;
        setText(path, item.name);
        path.title = [item.device, item.type, item.readOnly ? "read-only" : ""].filter(Boolean).join(" · ");
        const inodes = item.inodesPercent >= 80 ? ` · inodes ${text(item.inodesPercent, "percent")}` : "";
        setText(free, `${text(item.free, "bytes")} free of ${text(item.total, "bytes")}${inodes}`);
        row.dataset.level = level(Math.max(item.percent ?? 0, item.inodesPercent ?? 0), 80, 90);
        bar.setAttribute("aria-label", `${item.name} used`);
        bar.setAttribute("aria-valuenow", String(item.percent ?? 0));
        bar.setAttribute("aria-valuetext", text(item.percent, "percent"));
        bar.style.setProperty("--share", String((item.percent ?? 0) / 100));
        setText(share, text(item.percent, "percent"));
      },
    );
  }
}

/** Traffic of the network interfaces. */
export class Interfaces {
  #body = el("tbody");
  #card = card(
    "interfaces",
    "Interfaces",
    el(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Interfaces" },
      el(
        "table",
        { class: "plain" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ...["Interface", "Received", "Sent", "Err, drop"].map((title) => el("th", { scope: "col" }, title)),
          ),
        ),
        this.#body,
      ),
    ),
  );

  element = this.#card.element;

  show({ interfaces }) {
    const links = interfaces.length;
    setText(this.#card.note, links === 0 ? "None sampled yet." : `${links} interface${links === 1 ? "" : "s"}`);
    reconcile(
      this.#body,
      interfaces,
      (item) => item.name,
      () => el("tr", {}, el("th", { scope: "row" }), el("td"), el("td"), el("td")),
      (row, item) => {
        const [name, received, sent, troubles] = row.children;
        setText(name, item.name);
        name.title = item.megabits === null ? "" : `${item.megabits} Mbit/s`;
        setText(received, text(item.received, "bytes_per_second"));
        setText(sent, text(item.sent, "bytes_per_second"));
        setText(troubles, text(item.troubles, "per_second"));
        row.dataset.level = item.troubles > 0 ? "warm" : "calm";
      },
    );
  }
}
