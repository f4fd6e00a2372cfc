// Where the value axis ends and which lines it draws: from zero, in steps that people count in. Pure.

const MANTISSAS = [1, 2, 5];

/** Steps that read well for a unit: 1, 2, 5 times a power of ten; bytes count in powers of 1024 as well. */
function* steps(unit) {
  if (unit.startsWith("bytes")) {
    for (let base = 1; base <= 1024 ** 6; base *= 1024) {
      for (const decade of [1, 10, 100]) for (const mantissa of MANTISSAS) yield base * decade * mantissa;
    }
    return;
  }
  for (let power = -2; power <= 18; power += 1) for (const mantissa of MANTISSAS) yield mantissa * 10 ** power;
}

/**
 * @param {number} largest largest value to show; anything not finite counts as 0
 * @param {string} unit unit of the values, as the API names it
 * @param {{floor: number, ceiling?: number}} limits the axis never ends below `floor` nor above `ceiling`
 * @returns {{top: number, ticks: number[]}}
 */
export function scale(largest, unit, { floor, ceiling = Infinity }) {
  const wanted = Math.min(ceiling, Math.max(floor, Number.isFinite(largest) ? largest : 0));
  if (wanted === 100 && ceiling === 100) return { top: 100, ticks: [0, 25, 50, 75, 100] };
  for (const step of steps(unit)) {
    const count = Math.ceil(wanted / step - 1e-9);
    if (count > 5) continue;
    return { top: count * step, ticks: Array.from({ length: count + 1 }, (_, index) => index * step) };
  }
  return { top: wanted, ticks: [0, wanted] };
}
