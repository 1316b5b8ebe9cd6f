/** The comparison draws what Python tells, at the width that there is. */

import { expect, test, vi } from "vitest";
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

test("a point without an accuracy yet stands in the table only, beside words and no empty picture", () => {
  const view = fakeView(fakeModel({ points: [point("now", null, 10)], sentence: "" }));
  comparison.render(view);
  expect(view.el.querySelectorAll(".sl-point")).toHaveLength(0);
  expect(view.el.querySelectorAll("tbody tr")).toHaveLength(1);
  expect(view.el.querySelector("svg")).toBe(null);
  expect(view.el.querySelector(".sl-chart").textContent).toContain("first point");
});

test("it is drawn at the width that it has, so that its text keeps its size", () => {
  let resized;
  vi.stubGlobal("ResizeObserver", class {
    constructor(callback) {
      resized = callback;
    }
    observe() {}
    disconnect() {}
  });
  const view = fakeView(fakeModel({ points: POINTS, sentence: "" }));
  comparison.render(view);
  const wide = (width) => {
    Object.defineProperty(view.el.querySelector(".sl-chart"), "clientWidth", { value: width, configurable: true });
    resized();
    const svg = view.el.querySelector("svg");
    expect(svg.hasAttribute("viewBox")).toBe(false);
    return [svg.getAttribute("width"), [...svg.querySelectorAll("line")].filter((one) => one.getAttribute("x1") === one.getAttribute("x2")).length];
  };
  expect([wide(400), wide(300), wide(900), wide(100)]).toEqual([["400", 4], ["300", 3], ["520", 4], ["260", 3]]);
  vi.unstubAllGlobals();
});

test("points at one place stand side by side, so that each number can be read", () => {
  const view = fakeView(fakeModel({ points: [...POINTS, point("float8 · 4g", 0.987, 548), point("float8 · lora", 0.987, 548)], sentence: "" }));
  comparison.render(view);
  const at = [...view.el.querySelectorAll(".sl-point circle")].map((one) => Number(one.getAttribute("cx")));
  expect(at[2] - at[1]).toBeGreaterThanOrEqual(22);
  expect(at[3] - at[2]).toBeGreaterThanOrEqual(22);
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
