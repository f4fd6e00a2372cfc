// One moment, pointed at in any chart by pointer or keyboard and shown in all of them.

/**
 * @param {import("./chart.js").Chart[]} charts
 * @returns {{refresh: () => void, readonly time: number|null}} `refresh` shows the moment again after a drawing
 */
export function setUpCrosshair(charts) {
  let time = null;
  let pending = false;

  const refresh = () => charts.forEach((chart) => chart.show(time));
  const show = (next) => {
    time = next;
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      refresh();
    });
  };

  for (const chart of charts) {
    const { area } = chart;
    const point = (event) => show(chart.timeAt(event.clientX));
    area.addEventListener("pointermove", point);
    area.addEventListener("pointerdown", point);
    area.addEventListener("pointerleave", () => show(null));
    area.addEventListener("blur", () => show(null));
    area.addEventListener("keydown", (event) => {
      const next = move(event.key, chart, time);
      if (next === undefined) return;
      event.preventDefault();
      show(next);
    });
  }
  return {
    refresh,
    get time() {
      return time;
    },
  };
}

/** The moment after a key: undefined for keys that mean nothing here, null for "now". */
function move(key, chart, time) {
  const range = chart.range;
  if (!range) return undefined;
  const from = time ?? range.end;
  const step = chart.step;
  const clamp = (next) => Math.min(range.end, Math.max(range.start, next));
  const moves = {
    ArrowLeft: () => clamp(from - step),
    ArrowDown: () => clamp(from - step),
    ArrowRight: () => clamp(from + step),
    ArrowUp: () => clamp(from + step),
    PageDown: () => clamp(from - 10 * step),
    PageUp: () => clamp(from + 10 * step),
    Home: () => range.start,
    End: () => range.end,
    Escape: () => null,
  };
  return moves[key]?.();
}
