/** Writes numbers the way people read them: three figures and a unit, a thin space between. */

const SPACE = "\u202f";
// Made once: to make one takes a hundred times as long as to use it. One for each number of decimals.
const WRITERS = Array.from({ length: 13 }, (_, decimals) => new Intl.NumberFormat("en", { maximumFractionDigits: decimals }));

/** @param {number} value @param {number} [figures] @returns {string} e.g. 0.123, 4.56, 78.9, 12,345 */
export function number(value, figures = 3) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const digits = Math.max(0, figures - 1 - Math.floor(Math.log10(Math.abs(value))));
  return WRITERS[Math.min(digits, 12)].format(value);
}

/** A value with the largest prefix that keeps it at least 1. */
function scaled(value, steps) {
  if (!Number.isFinite(value)) return "–";
  const [size, unit] = steps.find(([size]) => Math.abs(value) >= size) ?? steps.at(-1);
  return `${number(value / size)}${SPACE}${unit}`;
}

/** @param {number} value bytes @returns {string} e.g. 512 B, 2.05 kB, 16.8 MB */
export const bytes = (value) => scaled(value, [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]]);

/** @param {number} value seconds @returns {string} e.g. 31 µs, 4.2 ms, 1.5 s */
export const seconds = (value) => scaled(value, [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]]);

/** @param {number} value a plain count @returns {string} e.g. 940, 61.7 k, 1.82 M, 4.1 G */
export const count = (value) => scaled(value, [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]]).trim();

/** @param {number} value 0 to 1 @param {number} [digits] @returns {string} e.g. 98.9 % */
export const percent = (value, digits = 1) =>
  Number.isFinite(value) ? `${(value * 100).toFixed(digits)}${SPACE}%` : "–";

/** @param {readonly number[] | null} shape @returns {string} e.g. 64×8×8; one number: 10; none: a number */
export const shape = (shape) => (shape === null ? "?" : shape.length ? shape.join("×") : "a number");

/** @param {number} value seconds @returns {string} e.g. 0:07, 12:30, 1:02:03 */
export function clock(value) {
  if (!Number.isFinite(value)) return "–";
  const whole = Math.max(0, Math.round(value));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}
