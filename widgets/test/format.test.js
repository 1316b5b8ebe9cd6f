import { expect, test } from "vitest";
import { bytes, clock, count, percent, seconds, shape } from "../src/format.js";

const plain = (text) => text.replaceAll("\u202f", " ");

test("numbers have three figures and a unit", () => {
  expect([0, 512, 2054, 16_777_216].map(bytes).map(plain)).toEqual(["0 B", "512 B", "2.05 kB", "16.8 MB"]);
  expect([0.000031, 0.0042, 1.5].map(seconds).map(plain)).toEqual(["31 µs", "4.2 ms", "1.5 s"]);
  expect([940, 61_706, 1_820_000_000].map(count).map(plain)).toEqual(["940", "61.7 k", "1.82 G"]);
});

test("shapes, shares and times are read as people write them", () => {
  expect(shape([64, 8, 8])).toBe("64×8×8");
  expect(shape(null)).toBe("?");
  expect(plain(percent(0.989))).toBe("98.9 %");
  expect([7, 750, 3723, Infinity].map(clock)).toEqual(["0:07", "12:30", "1:02:03", "–"]);
});
