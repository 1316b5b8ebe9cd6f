import { expect, test } from "vitest";
import comparison, { scale } from "../src/comparison.js";
import { fakeModel, fakeView } from "./model.js";

const point = (label, accuracy, bytes) => ({ label, accuracy, bytes, seconds: 0.001 });
const POINTS = [point("float32", 0.989, 2081), point("float8", 0.987, 548)];

test("every run is a numbered point and a row of the table", () => {
  const view = fakeView(fakeModel({ points: POINTS, sentence: "8-bit floats cut traffic to a quarter." }));
  comparison.render(view);
  expect(view.el.querySelectorAll(".sl-point")).toHaveLength(2);
  expect(view.el.querySelectorAll(".sl-now")).toHaveLength(1);
  expect([...view.el.querySelectorAll("tbody tr")].map((row) => row.children[1].textContent)).toEqual(["float32", "float8"]);
  expect(view.el.querySelector(".sl-sentence").textContent).toBe("8-bit floats cut traffic to a quarter.");
  expect(view.el.querySelector("svg").getAttribute("aria-label")).toContain("2: 98.7");
});

test("a point without an accuracy yet stands in the table only", () => {
  const view = fakeView(fakeModel({ points: [point("now", null, 10)], sentence: "" }));
  comparison.render(view);
  expect(view.el.querySelectorAll(".sl-point")).toHaveLength(0);
  expect(view.el.querySelectorAll("tbody tr")).toHaveLength(1);
});

test("it follows its model until the view is gone, and says what to do before there is anything", () => {
  const model = fakeModel({ points: [], sentence: "" });
  const view = fakeView(model);
  comparison.render(view);
  expect(view.el.textContent).toContain("Press Start");
  model.change("points", POINTS);
  expect(view.el.querySelectorAll(".sl-point")).toHaveLength(2);
  view.end();
  expect(model.listening()).toBe(0);
});

test("ticks are round and enclose what is shown", () => {
  const axis = scale(0, 2081, 0, 100);
  expect(axis.ticks).toEqual([0, 1000, 2000, 3000]);
  expect(axis.at(3000)).toBe(100);
  expect(scale(0.967, 0.994, 100, 0).ticks.at(-1)).toBeGreaterThanOrEqual(0.994);
});
