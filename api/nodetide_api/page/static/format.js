// Numbers, times and durations as text. Pure; widths stay stable because digits after the point depend on size alone.

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Shown where there is no value. */
export const NOTHING = "–";

const present = (value) => typeof value === "number" && Number.isFinite(value);

/** Three significant digits for numbers of at least 1, never more than two decimals: 0.12, 9.87, 12.3, 123. */
function digits(value) {
  const size = Math.abs(value);
  const text = value.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

function binary(value) {
  let scaled = value;
  let power = 0;
  // 1023.5 would be written as 1024: the next unit reads better.
  while (Math.abs(scaled) >= 999.5 && power < BINARY.length - 1) {
    scaled /= 1024;
    power += 1;
  }
  return { value: power === 0 ? String(Math.round(scaled)) : digits(scaled), unit: BINARY[power] };
}

function thousands(value) {
  const size = Math.abs(value);
  if (size < 9999.5) return { value: digits(value), unit: "" };
  return size < 999_950 ? { value: digits(value / 1e3), unit: "k" } : { value: digits(value / 1e6), unit: "M" };
}

function percent(value) {
  const text = value.toFixed(Math.abs(value) >= 99.95 ? 0 : 1);
  return { value: Number(text) === 0 ? text.replace("-", "") : text, unit: "%" };
}

/**
 * A value and its unit, apart, so that they can be styled apart.
 * @param {number|null|undefined} value
 * @param {string} unit as the API names it: "percent", "bytes", "bytes_per_second", "per_second", "none" …
 */
export function measure(value, unit) {
  if (!present(value)) return { value: NOTHING, unit: "" };
  if (unit === "percent") return percent(value);
  if (unit === "bytes") return binary(value);
  if (unit === "bytes_per_second") {
    const scaled = binary(value);
    return { value: scaled.value, unit: `${scaled.unit}/s` };
  }
  const scaled = value === 0 && unit !== "none" ? { value: "0", unit: "" } : thousands(value);
  return { value: scaled.value, unit: unit === "per_second" ? `${scaled.unit}/s` : scaled.unit };
}

/** `measure` as one text; the space does not break. */
export function text(value, unit) {
  const parts = measure(value, unit);
  return parts.unit ? `${parts.value}\u00a0${parts.unit}` : parts.value;
}

/** For axes: `text` without the zeros that say nothing. */
export function axisText(value, unit) {
  if (value === 0) return "0";
  const parts = measure(value, unit);
  const short = parts.value.includes(".") ? parts.value.replace(/\.?0+$/, "") : parts.value;
  return parts.unit ? `${short}\u00a0${parts.unit}` : short;
}

/** Whole seconds as the two largest units: "45 s", "3 min 20 s", "2 d 4 h". */
export function duration(seconds) {
  if (!present(seconds)) return NOTHING;
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

const two = (number) => String(number).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Local time of Unix seconds: "14:03:05", with the date before it when `withDate`. */
export function clock(seconds, withDate = false) {
  const at = new Date(seconds * 1000);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return withDate ? `${at.getDate()} ${MONTHS[at.getMonth()]} ${time}` : time;
}

/** For the time axis: dates at midnight and for steps of a day or more, the year for months. */
export function timeTick(date, step) {
  if (step >= 28 * 86_400) return `${MONTHS[date.getMonth()]} ${date.getFullYear()}`;
  const midnight = date.getHours() + date.getMinutes() + date.getSeconds() === 0;
  if (midnight || step >= 86_400) return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return step < 60 ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

/** The reader's time zone: "Europe/Berlin (UTC+02:00)". */
export function zone(now = new Date()) {
  const minutes = -now.getTimezoneOffset();
  const size = Math.abs(minutes);
  const offset = `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  return `${Intl.DateTimeFormat().resolvedOptions().timeZone} (${offset})`;
}
