/** The figures of now, large: held-out accuracy, loss, bytes and time of a sample. Their places never move. */

import { h } from "../dom.js";
import { bytes, number, percent, seconds } from "../format.js";

const between = (now) =>
  now.high > now.low ? `${percent(now.low)} to ${percent(now.high)}` : now.epochs ? `after epoch ${now.epochs}` : "";
const FIGURES = [
  ["Held-out accuracy", (now) => percent(now.accuracy ?? NaN), between],
  ["Training loss", (now) => number(now.loss ?? NaN), () => "now"],
  ["Bytes per sample", (now) => bytes(now.bytes ?? NaN), (now) => `${bytes(now.total)} so far`],
  ["Time per sample", (now) => seconds(now.seconds ?? NaN), (now) => `${now.clients} client${now.clients === 1 ? "" : "s"}`],
];

/** @returns {{el: HTMLElement, show: (now: any, whose: string) => void}} */
export function figures() {
  const tiles = FIGURES.map(([name]) => ({ name: h("dt", {}, name), figure: h("dd", {}, "–"), more: h("dd", {}, "\u00a0") }));
  const el = h("dl", { class: "sl-figures" }, ...tiles.map((tile) => h("div", {}, tile.name, tile.figure, tile.more)));
  const show = (now, whose) => {
    el.setAttribute("aria-label", whose ? `Figures of ${whose}` : "Figures of now");
    FIGURES.forEach(([, write, more], index) => {
      tiles[index].figure.textContent = now ? write(now) : "–";
      tiles[index].more.textContent = (now && more(now)) || "\u00a0";
    });
  };
  return { el, show };
}
