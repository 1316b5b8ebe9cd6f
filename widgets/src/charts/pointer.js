/** Shows the figures at one moment of a chart: under the mouse, or moved along with the arrow keys. */

import { h } from "../dom.js";
import { FRAME } from "./plot.js";
import { CHARTS, clock } from "./words.js";

/**
 * @param {HTMLElement} frame around the plot, in which the line and the figures stand
 * @param {{name: string, table: string}} chart
 * @param {{end: () => number, lines: () => {label: string, old: boolean, colour: (point: any) => string, points: any[]}[], names: any,
 *   signal: AbortSignal}} from
 */
export function pointer(frame, chart, { end, lines, names, signal }) {
  const line = h("div", { class: "sl-hair", hidden: true });
  const tip = h("div", { class: "sl-tip", role: "status", hidden: true });
  frame.append(line, tip);
  let at = null;

  const width = () => frame.clientWidth - FRAME.left - FRAME.right;
  const hide = () => {
    at = null;
    line.hidden = tip.hidden = true;
  };
  const show = (seconds) => {
    const found = nearest(chart, lines(), seconds, names);
    if (!found) return hide();
    at = found.seconds;
    const x = FRAME.left + (at / end()) * width();
    line.style.left = `${x}px`;
    tip.replaceChildren(h("b", {}, clock(at)), ...found.rows);
    line.hidden = tip.hidden = false;
    const room = frame.clientWidth - tip.offsetWidth - 4;
    tip.style.left = `${Math.max(4, Math.min(room, x < frame.clientWidth / 2 ? x + 10 : x - tip.offsetWidth - 10))}px`;
  };
  const move = (event) => {
    const box = frame.getBoundingClientRect();
    show(((event.clientX - box.left - FRAME.left) / width()) * end());
  };
  const key = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(at === null ? end() : Math.min(end(), Math.max(0, at + (step * end()) / 40)));
  };
  for (const [name, heard] of Object.entries({ pointermove: move, pointerleave: hide, keydown: key, blur: hide }))
    frame.addEventListener(name, heard, { signal });
}

/** The figures of every line at the moment that is nearest to one; null where there are none. */
function nearest(chart, lines, seconds, names) {
  const words = CHARTS[chart.name];
  const rows = [];
  let found = null;
  const several = lines.length > 1;
  for (const { label, old, colour, points } of lines) {
    for (const point of closest(points, seconds, (point) => words.series(point, names)).values()) {
      if (found === null || Math.abs(point.seconds - seconds) < Math.abs(found - seconds)) found = point.seconds;
      if (several && points.some((one) => one.client === "mean") && point.client !== "mean") continue; // too many
      if (old && point.part && point.part !== "step") continue; // as it is drawn
      const name = [several && (old || !point.part) && label, words.series(point, names)].filter(Boolean).join(", ");
      rows.push(h("div", {}, h("i", { style: `background:${colour(point)}` }), `${name}: ${words.value(point)}`));
    }
  }
  return found === null ? null : { seconds: found, rows };
}

/** Of each line the point that is nearest. */
function closest(points, seconds, series) {
  const best = new Map();
  for (const point of points) {
    const name = series(point);
    const before = best.get(name);
    if (!before || Math.abs(point.seconds - seconds) < Math.abs(before.seconds - seconds)) best.set(name, point);
  }
  return best;
}
