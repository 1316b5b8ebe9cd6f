import { expect, test } from "vitest";
import { edgesOf, rowsOf } from "../src/picker/fold.js";
import { place } from "../src/picker/layout.js";
import { columnsFor, scaleOf } from "../src/picker/strip.js";
import { bestOf } from "../src/picker/choice.js";
import { chain, residual } from "./drawings.js";

const open = new Map();
const laidOut = (drawing, said = open) => {
  const rows = rowsOf(drawing, said);
  return { rows, ...place(drawing, rows, edgesOf(drawing, rows)) };
};
const unfolded = (drawing) => new Map(drawing.blocks[0].blocks.map((block) => [`${block.name}@${block.first}-${block.last}`, true]));

test("rows stand one below another in the order of running, each cut between two of them", () => {
  const { boxes } = laidOut(chain());
  boxes.slice(1).forEach((box, index) => {
    const before = boxes[index];
    expect(before.cut).toBeGreaterThan(before.y + before.height / 2);
    expect(before.cut).toBeLessThan(box.y - box.height / 2);
  });
});

test("a folded block has one edge in and one out, with the bytes of what really runs there", () => {
  const drawing = residual();
  const rows = rowsOf(drawing, open);
  expect(rows.map((row) => row.kind)).toEqual(["input", "node", "block", "block", "node", "loss"]);
  expect(edgesOf(drawing, rows).map(({ from, to, bytes }) => [from, to, bytes])).toEqual([[0, 1, 768], [1, 2, 4096], [2, 3, 2048], [3, 4, 2048], [4, 5, 40]]);
});

test("a skip connection runs beside the boxes, which stay in one column", () => {
  const drawing = residual();
  const { boxes, edges } = laidOut(drawing, unfolded(drawing));
  expect(new Set(boxes.map((box) => Math.round(box.x))).size).toBe(1);
  const skip = edges.find((edge) => edge.to - edge.from > 1);
  const xs = [...skip.path.matchAll(/[C ](-?[\d.]+) (-?[\d.]+)/g)].map((match) => Math.abs(Number(match[1]) - boxes[0].x));
  expect(Math.max(...xs)).toBeGreaterThan(boxes[2].width / 2);
});

test("values that many read run along a bus, a lane each", () => {
  const drawing = chain();
  drawing.nodes.slice(2).forEach((node) => node.reads.push("conv1"));
  const { edges, boxes, width } = laidOut(drawing);
  const bus = edges.filter((edge) => edge.bus);
  expect(bus.length).toBe(4);
  expect(width).toBeGreaterThan(boxes[1].x + boxes[1].width / 2 + 12);
});

test("a chosen cut opens the blocks that it lies in, whatever was said", () => {
  const drawing = residual();
  const said = new Map([["layer@1-6", false]]);
  expect(rowsOf(drawing, said).length).toBe(5);
  expect(rowsOf(drawing, said, [2]).length).toBe(8);
  expect(rowsOf(drawing, said, [6]).length).toBe(5); // at its end: it may stay folded
});

test("a network of 600 operations is laid out in a moment, and the same twice", () => {
  const drawing = residual(200);
  const begun = performance.now();
  const first = laidOut(drawing, unfolded(drawing));
  expect(performance.now() - begun).toBeLessThan(1000);
  expect(laidOut(drawing, unfolded(drawing)).edges).toEqual(first.edges);
  expect(first.rows.length).toBe(604);
});

test("bars go by orders of magnitude, and nothing is no bar", () => {
  const offers = [1, 10, 100].map((bytes) => ({ reason: "", bytes }));
  const { at, least, most } = scaleOf([...offers, { reason: "no", bytes: 1e9 }], "bytes");
  expect([least, most, at(0)]).toEqual([1, 100, 0]);
  expect(at(100)).toBeCloseTo(1);
  expect(at(10) - at(1)).toBeCloseTo(at(100) - at(10));
});

test("where there is room for one column it is the one that was asked for", () => {
  const offers = [{ bytes: 1, seconds: null, macs: 1, params: 1 }];
  expect(columnsFor(offers, 132, "params").map(({ key }) => key)).toEqual(["params"]);
  expect(columnsFor(offers, 900, "params").map(({ key }) => key)).toEqual(["bytes", "macs", "params"]);
});

test("of cuts that are equally good the best asks least of the client, then is the last", () => {
  const offer = (name, bytes, macs, index) => ({ name, bytes, macs, index, reason: "", seconds: null });
  const { bytes, seconds } = bestOf([offer("a", 5, 1, 0), offer("b", 4, 2, 1), offer("c", 4, 2, 2), offer("d", 4, 3, 3)]);
  expect([bytes.name, seconds]).toEqual(["c", undefined]);
});
