/** Places rows and edges: one row for each operation, in the order of running, so that every cut is a level line. */

import { Graph, layout } from "@dagrejs/dagre";
import { pathOf } from "./fold.js";

export const WIDTH = 256; // of an operation's box
const HEIGHTS = { input: 28, loss: 28, light: 30, heavy: 46, block: 48 };
const GAP = 26; // between rows: where a cut runs
const TITLE = 24; // above an unfolded block
const INSET = 9; // of a block's frame around what is inside
const LONG = 24; // rows: an edge that is longer runs along a bus at the side
const READERS = 3; // a value with more readers, too
const LANE = 7; // between the lines of a bus

/**
 * Where everything is, in units of the drawing.
 * @typedef {object} Layout
 * @property {number} width
 * @property {number} height
 * @property {number} trunk where the boxes stand that nothing passes by
 * @property {{x: number, y: number, width: number, height: number, cut: number}[]} boxes one per row: its middle, and
 *   the height of the cut below it
 * @property {{from: number, to: number, bytes: number, value: string, path: string, bus: boolean}[]} edges
 * @property {{block: any, path: string, x: number, y: number, width: number, height: number}[]} frames of unfolded blocks
 */

/**
 * @param {any} drawing
 * @param {import("./fold.js").Row[]} rows
 * @param {ReturnType<import("./fold.js").edgesOf>} edges
 * @returns {Layout}
 */
export function place(drawing, rows, edges) {
  const boxes = stack(drawing, rows);
  const { near, far } = sorted(edges);
  const routes = across(boxes, near);
  const lanes = bus(far);
  const places = routes.flat();
  const left = Math.min(...boxes.map((box) => box.x - box.width / 2), ...places);
  const right = Math.max(...boxes.map((box) => box.x + box.width / 2), ...places);
  const depth = Math.max(0, ...rows.map((row) => row.inside.length));
  const margin = 14 + depth * INSET;
  const shift = margin - left;
  boxes.forEach((box) => (box.x += shift));
  const busLeft = right + shift + 12;
  const busWidth = far.length ? 12 + LANE * (Math.max(...lanes) + 1) : 0;
  const drawn = [
    ...near.map((edge, i) => ({ ...edge, bus: false, path: curve(boxes, edge, routes[i], shift) })),
    ...far.map((edge, i) => ({ ...edge, bus: true, path: around(boxes, edge, busLeft + lanes[i] * LANE) })),
  ];
  const width = right + shift + busWidth + margin;
  const height = boxes.at(-1).y + boxes.at(-1).height / 2 + 10;
  return { width, height, trunk: shift, boxes, edges: drawn, frames: frames(rows, boxes, width) };
}

/** How tall a row's box is: operations that hold weights are tall, those that only pass on are low. */
function tall(drawing, row) {
  if (row.kind !== "node") return HEIGHTS[row.kind];
  return drawing.nodes[row.first].params ? HEIGHTS.heavy : HEIGHTS.light;
}

function stack(drawing, rows) {
  let y = 10;
  return rows.map((row, index) => {
    y += row.opens.length * TITLE;
    const height = tall(drawing, row);
    const box = { x: 0, y: y + height / 2, width: row.kind === "input" || row.kind === "loss" ? 172 : WIDTH, height };
    const closing = row.inside.filter((block) => !rows[index + 1]?.inside.includes(block)).length;
    y += height + GAP + closing * INSET;
    return { ...box, cut: y - GAP / 2 };
  });
}

/** Edges for dagre, and edges for the bus at the side. */
function sorted(edges) {
  const readers = grouped(edges);
  const isFar = (edge) => {
    const nearest = Math.min(...readers.get(edge.from).map((other) => other.to));
    return edge.to !== nearest && (edge.to - edge.from > LONG || readers.get(edge.from).length > READERS);
  };
  const far = new Set(edges.filter(isFar));
  const near = edges.filter((edge) => !far.has(edge));
  return { near, far: [...far] };
}

function grouped(edges) {
  const groups = new Map();
  for (const edge of edges) groups.set(edge.from, [...(groups.get(edge.from) ?? []), edge]);
  return groups;
}

/**
 * Where boxes and edges go sideways. The graph is laid out stretch by stretch, from one row that no edge passes by to
 * the next: these stand below one another, and equal blocks look equal (and are laid out once). Returns each edge's
 * place beside each row that it passes.
 */
function across(boxes, edges) {
  const routes = new Map();
  for (const [first, last, inside] of stretches(boxes.length, edges)) {
    const found = stretch(last - first + 1, inside.map((edge) => [edge.from - first, edge.to - first]));
    found.boxes.forEach((x, index) => (boxes[first + index].x = x));
    inside.forEach((edge, index) => routes.set(edge, found.routes[index]));
  }
  return edges.map((edge) => routes.get(edge));
}

function stretches(count, edges) {
  const byStart = grouped(edges);
  const found = [];
  let [first, reach, inside] = [0, 0, []];
  for (let row = 0; row < count; row++) {
    if (row > first && (reach <= row || row === count - 1)) {
      found.push([first, row, inside]);
      [first, reach, inside] = [row, row, []];
    }
    for (const edge of byStart.get(row) ?? []) {
      inside.push(edge);
      reach = Math.max(reach, edge.to);
    }
  }
  return found;
}

const known = new Map(); // stretches that were laid out, by their edges

function stretch(count, edges) {
  const key = `${count}:${edges.join(" ")}`;
  if (!known.has(key)) known.set(key, ask(count, edges));
  return known.get(key);
}

/** Ask dagre about one stretch; the order of running is the rank. Its ends, and most boxes, stand at 0. */
function ask(count, edges) {
  const straight = { boxes: Array(count).fill(0), routes: edges.map(() => []) };
  if (count <= 2) return straight;
  const graph = new Graph();
  graph.setGraph({ ranker: ranked, nodesep: 18, edgesep: 18, ranksep: GAP });
  for (let row = 0; row < count; row++) graph.setNode(String(row), { width: WIDTH, height: HEIGHTS.light });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to), { weight: to - from === 1 ? 8 : 1 });
  layout(graph);
  const inner = straight.boxes.map((_, row) => graph.node(String(row)).x);
  const origin = commonest(inner.slice(1, -1));
  const beside = ([from, to]) => graph.edge(String(from), String(to)).points.slice(2, -2).filter((_, i) => i % 2 === 0);
  const routes = edges.map((edge) => beside(edge).map((point) => point.x - origin));
  const sign = routes.flat().reduce((sum, x) => sum + x, 0) < 0 ? -1 : 1; // names are left, lines right
  const boxes = inner.map((x, row) => (row === 0 || row === count - 1 ? 0 : sign * (x - origin)));
  return { boxes, routes: routes.map((xs) => xs.map((x) => sign * x)) };
}

function commonest(values) {
  const times = (value) => values.filter((other) => Math.abs(other - value) < 1).length;
  return values.toSorted((a, b) => times(b) - times(a))[0];
}

/**
 * dagre's rank of a box is its row, twice (it wants a rank between, for labels): no two operations stand side by side,
 * so a level line is a cut. The node without a row is dagre's own root.
 */
function ranked(graph) {
  for (const name of graph.nodes()) graph.node(name).rank = 2 * (rowOf(name) ?? -1);
}

const rowOf = (name) => (/^\d+$/.test(name) ? Number(name) : undefined);

/** An edge that leaves below a box, runs straight beside other rows, and bends between them. */
function curve(boxes, edge, points, shift) {
  const [from, to] = [boxes[edge.from], boxes[edge.to]];
  let path = `M${round(from.x)} ${round(from.y + from.height / 2)}`;
  let [x, y] = [from.x, from.y + from.height / 2];
  const bend = (nextX, nextY) => {
    const middle = (y + nextY) / 2;
    const straight = Math.abs(nextX - x) < 0.5;
    const way = [x, middle, nextX, middle, nextX, nextY].map(round).join(" ");
    path += straight ? `V${round(nextY)}` : `C${way}`;
    [x, y] = [straight ? x : nextX, nextY];
  };
  points.forEach((place, step) => {
    const row = boxes[edge.from + 1 + step];
    bend(place + shift, row.y - row.height / 2);
    bend(place + shift, row.y + row.height / 2);
  });
  bend(to.x, to.y - to.height / 2 - 1);
  return path;
}

/** Which lane of the bus each far edge takes: one for each value, and as few as there can be. */
function bus(edges) {
  const ends = new Map();
  edges.forEach((edge) => ends.set(edge.from, Math.max(ends.get(edge.from) ?? 0, edge.to)));
  const free = []; // the row at which each lane is free again
  const lanes = new Map();
  for (const [from, end] of [...ends].sort(([a], [b]) => a - b)) {
    const found = free.findIndex((row) => row <= from);
    const lane = found < 0 ? free.length : found;
    free[lane] = end;
    lanes.set(from, lane);
  }
  return edges.map((edge) => lanes.get(edge.from));
}

function around(boxes, edge, x) {
  const [from, to] = [boxes[edge.from], boxes[edge.to]];
  const [start, end] = [from.x + from.width / 2, to.x + to.width / 2 + 1];
  const [y1, y2] = [from.y + from.height / 4, to.y - to.height / 4];
  return `M${round(start)} ${round(y1)}H${round(x - 5)}q5 0 5 5V${round(y2 - 5)}q0 5 -5 5H${round(end)}`;
}

function frames(rows, boxes, width) {
  const found = [];
  rows.forEach((row, index) => {
    row.opens.forEach((block, order) => {
      const depth = row.inside.indexOf(block);
      const end = rows.findLastIndex((other) => other.inside.includes(block));
      const closing = rows[end].inside.filter((other) => !rows[end + 1]?.inside.includes(other));
      const y = boxes[index].y - boxes[index].height / 2 - (row.opens.length - order) * TITLE + 2;
      const below = INSET * (closing.length - closing.indexOf(block)) - 2;
      const x = 6 + depth * INSET;
      const bottom = boxes[end].y + boxes[end].height / 2 + below;
      found.push({ block, path: pathOf(row.inside.slice(0, depth)), x, y, width: width - 2 * x, height: bottom - y });
    });
  });
  return found;
}

const round = (value) => Math.round(value * 10) / 10;
