/** Draws the cost strip beside the graph: for every cut, level with it, what it costs. */

import { bytes, count, seconds } from "../format.js";
import { h, s } from "../dom.js";
import { cuttable } from "./graph.js";
import { windowed } from "./window.js";
import * as words from "./words.js";

export const COLUMN = 132;
const BAR = 58; // the longest bar; the figure stands right of it
const HEIGHT = 11; // of a bar
const READABLE = 0.55; // zoom below which figures would overlap

/** What the strip can show of a cut, in order of importance. */
export const COLUMNS = [
  { key: "bytes", title: "Bytes per sample", note: "up + down", text: bytes },
  { key: "seconds", title: "Time per sample", note: "predicted", text: seconds },
  { key: "macs", title: "Client work", note: "multiply-adds", text: count },
  { key: "params", title: "Client parameters", note: "kept and trained", text: count },
];

/** The columns that have something to say and that there is room for; on a narrow screen the one that was asked for. */
export function columnsFor(offers, room, asked) {
  const told = COLUMNS.filter(({ key }) => offers.some((offer) => Number.isFinite(offer[key]) && offer[key] !== null));
  const many = Math.max(1, Math.floor(room / COLUMN));
  if (many >= told.length) return told;
  return told.toSorted((a, b) => (b.key === asked) - (a.key === asked)).slice(0, many);
}

/** Where values lie between the smallest and the largest of all cuts, by orders of magnitude. */
export function scaleOf(offers, key) {
  const values = offers.filter((offer) => !offer.reason).map((offer) => offer[key]).filter((value) => value > 0);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const span = Math.log(most / least);
  const at = (value) => (value > 0 ? (span > 0 ? 0.06 + (0.94 * Math.log(value / least)) / span : 1) : 0);
  return { least, most, at: (value) => Math.min(Math.max(at(value), 0), 1) };
}

/**
 * The strip: an SVG whose rows are the options of a list box.
 * @param {ReturnType<import("./choice.js").choiceOf>} choice
 * @param {import("./fold.js").Row[]} rows
 * @param {import("./layout.js").Layout} layout
 * @param {typeof COLUMNS} columns
 * @param {string} mark that makes ids unique on the page
 */
export function drawStrip(choice, rows, layout, columns, mark) {
  const scales = columns.map(({ key }) => scaleOf(choice.offers, key));
  const width = columns.length * COLUMN + 10;
  const [behind, before] = [s("g", { role: "none" }), s("g", { role: "none" })];
  const svg = s("svg", { class: "sl-strip", width, role: "none" }, behind, before);
  const stops = rows.filter(cuttable);
  const options = windowed(before, stops, (row) => drawRow(choice, row, layout, columns, scales, mark, stops.length));
  const shapes = windowed(behind, rows.filter((row) => row.kind === "block"), (row) => silhouettes(choice, row, layout, columns, scales));
  const resize = (zoom) => {
    svg.setAttribute("height", layout.height * zoom);
    svg.classList.toggle("sl-small", zoom < READABLE);
    svg.style.setProperty("--sl-squeeze", Math.min(1, zoom * 1.2).toFixed(2));
    behind.setAttribute("transform", `scale(1 ${zoom})`);
    for (const option of before.children) level(option, zoom);
  };
  /** Have in the page what lies between two rows; returns whether something is new. */
  const show = (first, last, zoom) => {
    const wanted = (row) => row.index >= first && row.index <= last;
    shapes.show(wanted);
    const more = options.show(wanted);
    if (more) for (const option of before.children) level(option, zoom);
    return more;
  };
  return { svg, width, resize, show };
}

/** Put a row level with its cut; rows are no taller than the room between them. */
function level(option, zoom) {
  const tall = Math.min(26, Math.max(3, 28 * zoom));
  option.setAttribute("transform", `translate(0 ${option.dataset.y * zoom})`);
  option.firstElementChild.setAttribute("y", -tall / 2);
  option.firstElementChild.setAttribute("height", tall);
}

function drawRow(choice, row, layout, columns, scales, mark, many) {
  const offer = choice.offers[row.last];
  const best = columns.map(({ key }) => choice.best[key] === offer);
  const label = words.offered(offer, choice.placing, false) + praise(columns, best);
  const look = ["sl-row", offer.reason && "sl-no", row.kind === "block" && "sl-of-block"].filter(Boolean).join(" ");
  const id = `${mark}-row-${row.index}`;
  const data = { "data-row": row.index, "data-y": layout.boxes[row.index].cut };
  const place = { "aria-setsize": many, "aria-posinset": row.index };
  const state = { "aria-label": label, "aria-disabled": offer.reason ? "true" : null, "aria-selected": "false" };
  return s(
    "g",
    { class: look, role: "option", id, ...data, ...place, ...state },
    s("rect", { class: "sl-back", x: 0, y: -12, width: columns.length * COLUMN + 10, height: 24 }),
    ...(offer.reason
      ? [s("text", { x: 12, y: 4, class: "sl-why" }, columns.length > 1 ? "cannot be cut here" : "no cut")]
      : columns.flatMap((column, i) => cell(column, offer, scales[i], 10 + i * COLUMN, best[i]))),
  );
}

const praise = (columns, best) => columns.filter((_, i) => best[i]).map(({ key }) => ` ${BEST[key]}.`).join("");

export const BEST = { bytes: "Fewest bytes", seconds: "Fastest" };

function cell({ key, text }, offer, scale, x, best) {
  const value = offer[key];
  if (value === null || !Number.isFinite(value)) return [];
  const long = Math.max(scale.at(value) * BAR, value > 0 ? 2 : 0);
  return [
    s("rect", { class: `sl-bar sl-bar-${key}${best ? " sl-best" : ""}`, x, y: -HEIGHT / 2, width: long.toFixed(1), height: HEIGHT, rx: 2 }),
    s("text", { class: best ? "sl-best" : "", x: x + BAR + 8, y: 4 }, `${text(value)}${best ? " ★" : ""}`),
  ];
}

/** What the cuts inside a folded block cost, as a shape as tall as the block. */
function silhouettes(choice, row, layout, columns, scales) {
  const box = layout.boxes[row.index];
  const inner = choice.offers.slice(row.first, row.last);
  const step = box.height / Math.max(inner.length, 1);
  const top = box.y - box.height / 2;
  const shape = ({ key }, i) => {
    const x = 10 + i * COLUMN;
    const long = (offer) => (offer.reason || !(offer[key] > 0) ? 0 : Math.max(scales[i].at(offer[key]) * BAR, 1));
    const path = inner.map((offer, n) => `H${(x + long(offer)).toFixed(1)}V${(top + (n + 1) * step).toFixed(1)}`).join("");
    return s("path", { class: "sl-shape", d: `M${x} ${top.toFixed(1)}${path}H${x}Z` });
  };
  const best = inner.find((offer) => Object.values(choice.best).includes(offer));
  return s(
    "g",
    { class: "sl-shapes", "data-unfold": row.index },
    s("title", {}, `${inner.length} more cuts inside ${row.block.name}${best ? ", the best among them" : ""}: unfold it`),
    s("rect", { class: "sl-shape-back", x: 0, y: top, width: columns.length * COLUMN + 10, height: box.height }),
    ...columns.map(shape),
  );
}

/** The strip's heading: what each column shows, and from where to where its bars go. */
export function drawHeading(offers, columns, width, codec, asked) {
  const cells = columns.map(({ key, title, note, text }) => {
    const { least, most } = scaleOf(offers, key);
    const range = most > least ? `${text(least)} – ${text(most)}` : text(most);
    const about = key === "bytes" ? `${note}, ${codec}` : note;
    const scale = h("span", { title: "The bars are drawn by orders of magnitude" }, `${range}, log`);
    return h("div", { class: "sl-column" }, h("b", {}, title), h("span", {}, about), scale);
  });
  const heading = h("div", { class: "sl-heading" }, ...cells);
  heading.style.width = `${width}px`;
  if (asked) cells[0].firstChild.replaceWith(asked);
  return heading;
}
