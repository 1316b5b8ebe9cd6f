/** Draws the graph: boxes, edges, frames of unfolded blocks, and the lines where the network is cut. */

import { bytes, count, shape } from "../format.js";
import { s } from "../dom.js";
import { keyOf, pathOf } from "./fold.js";
import { windowed } from "./window.js";
import * as words from "./words.js";

const LAYERS = ["frames", "edges", "slots", "sizes", "boxes", "titles", "lines"]; // from the back to the front
const THIN = 1.4; // the width of the smallest edge
const THICK = 4.6; // and how much more the largest has

/**
 * @param {any} drawing
 * @param {import("./fold.js").Row[]} rows
 * @param {import("./layout.js").Layout} layout
 * @param {string} mark that makes ids unique on the page
 */
export function drawGraph(drawing, rows, layout, mark) {
  const width = widths(layout.edges);
  const [frames, edges, slots, sizes, boxes, titles, lines] = LAYERS.map((name) => s("g", { class: `sl-${name}` }));
  const about = { role: "img", "aria-label": summary(drawing), preserveAspectRatio: "xMidYMin meet" };
  const svg = s("svg", { class: "sl-graph", ...about }, s("defs", {}, arrow(mark)), frames, edges, slots, sizes, boxes, titles, lines);
  const layers = [
    windowed(slots, rows.filter(cuttable), (row) => drawSlot(row, layout)),
    windowed(sizes, rows, (row) => drawSize(drawing, row, layout, width)),
    windowed(boxes, rows, (row) => drawBox(drawing, row, layout.boxes[row.index])),
  ];
  const framed = [windowed(frames, layout.frames, drawFrame), windowed(titles, layout.frames, drawTitle)];
  const joined = windowed(edges, layout.edges, (edge) => drawEdge(edge, width(edge.bytes), mark));
  /** Have in the page what lies between two rows; returns whether something is new. */
  function show(first, last) {
    const [top, bottom] = [layout.boxes[first].y - 60, layout.boxes[last].y + 60];
    for (const layer of framed) layer.show((frame) => frame.y < bottom && frame.y + frame.height > top);
    const more = joined.show((edge) => edge.from <= last && edge.to >= first);
    return layers.map((layer) => layer.show((row) => row.index >= first && row.index <= last)).includes(true) || more;
  }
  return { svg, lines, show };
}

/** The text alternative of the picture; the cuts themselves are in the list beside it. */
function summary(drawing) {
  const legal = drawing.cuts.filter((cut) => cut.legal).length;
  return `${drawing.model}: ${drawing.nodes.length} operations one below the other, ${legal} places to cut`;
}

function arrow(mark) {
  const size = { markerWidth: 8, markerHeight: 8, refX: 6, refY: 4, orient: "auto", markerUnits: "userSpaceOnUse" };
  return s("marker", { id: `${mark}-arrow`, ...size }, s("path", { d: "M0 .5L7 4L0 7.5Z", class: "sl-arrow" }));
}

/** The more bytes, the wider: by orders of magnitude, from the smallest edge to the largest. */
function widths(edges) {
  const sizes = edges.map((edge) => edge.bytes).filter((size) => size > 0);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)].map(Math.log);
  return (size) => (size > 0 && most > least ? THIN + (THICK * (Math.log(size) - least)) / (most - least) : THIN);
}

function drawEdge(edge, width, mark) {
  const label = `${edge.value}: ${bytes(edge.bytes)} per sample as float32`;
  const look = { class: `sl-edge${edge.bus ? " sl-bus" : ""}`, "data-from": edge.from, "data-to": edge.to };
  const thick = edge.bus ? THIN : width;
  return s(
    "path",
    { ...look, d: edge.path, "stroke-width": thick.toFixed(1), "marker-end": `url(#${mark}-arrow)` },
    s("title", {}, label),
  );
}

/** The stretch between two boxes that can be clicked: the cut below a row. */
function drawSlot(row, layout) {
  const place = { x: -4000, width: 8000 + layout.width, y: layout.boxes[row.index].cut - 13, height: 26 };
  return s("rect", { class: "sl-slot", "data-row": row.index, ...place });
}

/** @param {import("./fold.js").Row} row */
export const cuttable = (row) => row.kind === "node" || row.kind === "block";

/** What leaves a box: its size, beside the edge. */
function drawSize(drawing, row, layout, width) {
  const value = row.kind === "input" ? drawing.input : drawing.nodes[row.last];
  if (!value?.bytes) return null;
  const box = layout.boxes[row.index];
  const place = { x: box.x + 9 + width(value.bytes) / 2, y: box.y + box.height / 2 + 16 };
  return s("text", { ...place, "data-row": row.index }, bytes(value.bytes));
}

function drawBox(drawing, row, box) {
  const place = `translate(${box.x - box.width / 2} ${box.y - box.height / 2})`;
  const draw = { input: drawEnd, loss: drawEnd, node: drawNode, block: drawFolded }[row.kind];
  return s("g", { class: `sl-box sl-${row.kind}`, "data-row": row.index, transform: place }, ...draw(drawing, row, box));
}

const frame = (box, radius) => s("rect", { class: "sl-body", width: box.width, height: box.height, rx: radius });

const text = (x, y, look, content) => s("text", { x, y, class: look }, content);

/** Where the data come in, and where the labels are needed. */
function drawEnd(drawing, row, box) {
  const words = row.kind === "input" ? `Samples ${shape(drawing.input.shape)}` : "Loss, with labels";
  return [frame(box, box.height / 2), text(box.width / 2, box.height / 2 + 4, "sl-kind sl-middle", words)];
}

function drawNode(drawing, row, box) {
  const node = drawing.nodes[row.first];
  const name = words.within(node.name, pathOf(row.inside));
  const line = node.params ? 19 : box.height / 2 + 4;
  const size = shape(node.shape);
  const room = 31 - node.kind.length - (node.params ? 0 : size.length);
  const beside = node.params ? null : s("tspan", { class: "sl-rest", dx: 8 }, size);
  const below = [text(12, 36, "sl-rest", `${count(node.params)} parameters`), text(box.width - 12, 36, "sl-rest sl-end", size)];
  return [
    s("title", {}, words.node(node)),
    frame(box, node.params ? 7 : box.height / 2),
    s("text", { x: 12, y: line }, s("tspan", { class: "sl-kind" }, node.kind), beside),
    text(box.width - 12, line, "sl-name", words.short(name, Math.max(room, 6))),
    ...(node.params ? below : []),
  ];
}

function drawFolded(drawing, row, box) {
  const said = words.block(drawing, row.block, pathOf(row.inside));
  return [
    s("title", {}, `${row.block.name}: ${said.text}`),
    s("rect", { class: "sl-body sl-behind", x: 5, y: 5, width: box.width, height: box.height, rx: 7 }),
    frame(box, 7),
    text(12, 20, "sl-kind", said.name),
    text(box.width - 36, 20, "sl-name", words.short(said.path, Math.max(27 - said.name.length, 7))),
    text(12, 37, "sl-rest", said.text),
    toggle(row.block, box.width - 30, box.height / 2 - 11, false),
  ];
}

const drawFrame = ({ x, y, width, height }) => s("rect", { class: "sl-frame", x, y, width, height, rx: 9 });

/** The name of an unfolded block and the button that folds it, above the lines that pass. */
function drawTitle({ block, path, x, y }) {
  const name = text(28, 15, "sl-rest sl-title-name", words.short(words.pathIn(block, path), 24));
  return s("g", { transform: `translate(${x} ${y})` }, s("title", {}, block.name), toggle(block, 4, 1, true, 20), name);
}

/** The button that folds or unfolds a block. */
function toggle(block, x, y, open, size = 22) {
  const half = size / 2;
  const label = `${open ? "Fold" : "Unfold"} ${block.name}`;
  return s(
    "g",
    { class: "sl-toggle", "data-block": keyOf(block), "data-open": open, transform: `translate(${x} ${y})` },
    s("title", {}, label),
    s("rect", { width: size, height: size, rx: 5 }),
    s("path", { d: `M${half - 5} ${half}h10${open ? "" : `M${half} ${half - 5}v10`}` }),
  );
}

/**
 * The line where the network is cut, with scissors at its beginning and what crosses it at its end.
 * @param {"cut" | "tail" | "preview"} look
 */
export function cutLine(layout, y, look, label) {
    return s(
    "g",
    { class: `sl-line sl-line-${look}`, transform: `translate(0 ${y})` },
    s("path", { d: `M-4000 0H${layout.width + 4000}` }),
    label && tag(label, layout.trunk),
  );
}

function tag(label, x) {
  const wide = 14 + label.length * 6.6;
  const back = s("rect", { x: -wide / 2, y: -10, width: wide, height: 20, rx: 10 });
  const place = { class: "sl-tag", transform: `translate(${x} 0)` };
  return s("g", place, scissors(-wide / 2 - 22), back, s("text", { y: 4 }, label));
}

const BLADES = "M16 -6L5 2M16 6L5 -2";
const HANDLES = "M5 4.2a2.6 2.6 0 1 1-5 0a2.6 2.6 0 1 1 5 0M5 -4.2a2.6 2.6 0 1 1-5 0a2.6 2.6 0 1 1 5 0";
const scissors = (x) =>
  s("path", { class: "sl-scissors", transform: `translate(${x} 0)`, d: BLADES + HANDLES });
