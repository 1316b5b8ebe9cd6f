import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { gzipSync } from "node:zlib";
import { receiver } from "../src/charts/save.js";
import { ROWS, Store } from "../src/charts/store.js";
import { dataNames, Plot } from "../src/charts/plot.js";
import { sentence } from "../src/charts/words.js";
import widget from "../src/live_charts.js";
import { fakeModel, fakeView } from "./model.js";

const COLUMNS = ["id", "seconds", "way", "total", "step_bytes", "sample_bytes"];
const SPEC = {
  data: { name: "wire" },
  mark: "line",
  params: [{ name: "end", value: 10 }, { name: "soft", value: "#777" }],
  encoding: { x: { field: "seconds", type: "quantitative" }, y: { field: "total", type: "quantitative" } },
};
const CHART = { name: "bytes", title: "Bytes since the start", note: "", table: "wire", spec: SPEC };
const RUN = { key: 0, label: "lenet", slot: 0, old: false };
const NOW = { bytes: 600, seconds: 2e-4, total: 6e5, loss: 0.5, accuracy: 0.972, low: 0.97, high: 0.974, epochs: 3,
  clients: 2, seconds_run: 12, memory: 3e8, parts: { server: 100 } };
const news = (rows, anew = false, run = 0) => ({ run, table: "wire", anew, columns: COLUMNS, rows });
const row = (n) => [`${n}up`, n, "up", 100 * n, 100, 10];

/** A canvas that draws nothing: jsdom has none. */
const canvas = new Proxy({}, { get: (_, name) => (name === "measureText" ? () => ({ width: 5 }) : vi.fn()), set: () => true });

let view, model;
beforeEach(() => {
  HTMLCanvasElement.prototype.getContext = () => canvas;
  Object.defineProperty(HTMLElement.prototype, "clientWidth", { configurable: true, get: () => 400 });
});
afterEach(() => view?.end());

function shown(traits = {}) {
  model = fakeModel({ charts: [CHART], runs: [RUN], parts: [{ part: "server", name: "server", colour: "#000" }], ...traits });
  view = fakeView(model);
  widget.render(view);
}
const drawn = () => new Promise((done) => view.el.addEventListener("splitlab-drawn", done, { once: true }));
async function hear(rows, more = {}) {
  model.hear({ type: "points", news: [news(rows, true)], now: { 0: NOW }, ...more });
  await drawn();
}
const label = () => view.el.querySelector(".sl-chart").getAttribute("aria-label");
const button = (name) => [...view.el.querySelectorAll("button")].find((one) => (one.ariaLabel ?? one.getAttribute("aria-label") ?? one.textContent).includes(name));

test("a view asks for everything when it is drawn, and says what to do until there is something", () => {
  shown({ runs: [] });
  expect(model.sent).toEqual([{ type: "hello" }]);
  expect(view.el.querySelector(".sl-empty").textContent).toContain("Press Start");
  expect(view.el.querySelector(".sl-empty").hidden).toBe(false);
});

test("points make the figures, the sentence and the drawing", async () => {
  shown();
  await hear([row(1), row(2)]);
  expect(view.el.querySelector(".sl-empty").hidden).toBe(true);
  expect(view.el.querySelector(".sl-figures").textContent.replaceAll("\u202f", " ")).toContain("97.2 %");
  expect(label().replaceAll("\u202f", " ")).toBe("Bytes since the start: 600 kB so far");
  expect(view.el.querySelector("canvas")).not.toBeNull();
});

test("a chart says in one sentence what it shows", () => {
  const words = sentence({ name: "accuracy", title: "Held-out accuracy" }, [{ ...RUN, now: NOW }], [{ what: "codec = int8", seconds: 4 }]);
  expect(words.replaceAll("\u202f", " ")).toBe(
    "Held-out accuracy: 97.2 % after 3 epochs, 2 clients; codec = int8 at 4.0 s",
  );
  expect(sentence({ name: "loss", title: "Training loss" }, [], [])).toBe("Training loss: no points yet");
});

test("a store holds what the news say, and forgets runs that are gone", () => {
  const store = new Store();
  store.take([news([row(1), row(2)], true), news([row(1)], true, 1)]);
  store.take([news([["2up", 2.5, "up", 250, 100, 10], row(3)])]);
  expect(store.all("wire", 0).map((point) => point.total)).toEqual([100, 250, 300]);
  store.take([news([row(9)], true)]);
  expect(store.all("wire", 0)).toHaveLength(1);
  store.keep(new Set([0]));
  expect(store.all("wire", 1)).toEqual([]);
});

test("raw rows are a window that does not grow", () => {
  const store = new Store();
  for (let n = 0; n < 4; n++) {
    const rows = Array.from({ length: 2000 }, (_, index) => [String(2000 * n + index), 1]);
    store.take([{ run: 0, table: "rows", anew: false, columns: ["id", "seconds"], rows }]);
  }
  expect(store.all("rows", 0)).toHaveLength(ROWS);
  expect(store.all("rows", 0).at(-1).id).toBe("7999");
});

test("a run can be hidden, which only this page knows, and an old one removed, which Python does", async () => {
  shown({ runs: [{ ...RUN, old: true }, { key: 1, label: "other", slot: 1, old: false }] });
  await hear([row(1)]);
  button("lenet").click();
  await drawn();
  expect(label()).toBe("Bytes since the start: no points yet");
  expect(view.el.querySelector("[data-run='show 0']").getAttribute("aria-pressed")).toBe("false");
  button("Remove lenet").click();
  expect(model.sent.slice(1)).toEqual([{ type: "remove", run: 0 }]);
  expect(button("Remove other")).toBeUndefined();
});

test("what is saved are the runs that are shown, and a problem is said", () => {
  shown();
  button("table").click();
  const asked = model.sent.at(-1);
  expect(asked).toMatchObject({ type: "export", what: "csv", runs: [0] });
  model.hear({ type: "problem", view: asked.view, text: "nothing to save yet" });
  expect(view.el.querySelector(".sl-save [role=status]").textContent).toBe("nothing to save yet");
});

test("a file that comes in pieces is put together", async () => {
  const packed = gzipSync("run,sequence\n1,2\n");
  const files = [];
  const receive = receiver(() => {}, (name, blob) => files.push([name, blob]));
  globalThis.Blob = (await import("node:buffer")).Blob;
  const piece = (n) => receive({ name: "a.csv", mime: "text/csv", piece: n, pieces: 2 }, [packed.subarray(n * 10, n ? undefined : 10)]);
  await piece(1); // of a file that began before
  await piece(0);
  await piece(1);
  expect(files[0][0]).toBe("a.csv");
  expect(await files[0][1].text()).toBe("run,sequence\n1,2\n");
});

test("a chart is not drawn while it cannot be seen, and shows everything when it can", async () => {
  let see;
  globalThis.IntersectionObserver = class {
    constructor(callback) {
      see = (isIntersecting) => callback([{ isIntersecting }]);
    }
    observe() {}
    disconnect() {}
  };
  shown();
  await hear([row(1), row(2)]);
  expect(view.el.querySelector("canvas")).toBeNull();
  see(true);
  await drawn();
  expect(view.el.querySelector("canvas")).not.toBeNull();
  delete globalThis.IntersectionObserver;
});

test("names of data are found wherever they stand", () => {
  const spec = { layer: [{ data: { name: "wire" } }, { layer: [{ data: { name: "rows" } }] }], data: { name: "mine", values: [] } };
  expect([...dataNames(spec)]).toEqual(["wire", "rows"]);
});

test("a view that is gone hears nothing any more, and a second one shows the same", async () => {
  shown();
  const first = view;
  view = fakeView(model);
  widget.render(view);
  await hear([row(1)]);
  expect(first.el.querySelector("canvas")).not.toBeNull();
  first.end();
  view.end();
  expect(model.listening()).toBe(0);
});

test("what Vega holds is what there is, after points came, changed and went", async () => {
  const there = new Map([["a", { seconds: 1, total: 1 }], ["b", { seconds: 2, total: 2 }]]);
  const copy = (point) => point && { ...point };
  const plot = new Plot(
    document.createElement("div"),
    { spec: SPEC },
    () => new Map([...there].map(([key, point]) => [key, copy(point)])),
    (name, key) => copy(there.get(key)),
  );
  plot.restyle({ axis: { labelColor: "#777" } });
  const held = () => plot.data("wire").map((point) => [point.seconds, point.total]).sort();
  await plot.draw();
  expect(held()).toEqual([[1, 1], [2, 2]]);
  there.set("b", { seconds: 2.5, total: 9 }).set("c", { seconds: 3, total: 3 });
  plot.change("wire", ["b", "c"]);
  await plot.draw();
  expect(held()).toEqual([[1, 1], [2.5, 9], [3, 3]]);
  there.delete("a");
  there.delete("b");
  plot.change("wire", ["c"]);
  plot.change("wire", null);
  await plot.draw();
  expect(held()).toEqual([[3, 3]]);
  plot.close();
  await plot.draw(); // built anew: everything is there again
  expect(held()).toEqual([[3, 3]]);
  plot.close();
});

test("a chart is drawn again when points came or its end moved by half a pixel, and not otherwise", async () => {
  const plot = new Plot(document.createElement("div"), { spec: SPEC }, () => new Map(), () => undefined);
  plot.restyle({ axis: { labelColor: "#777" } });
  const draws = async (end, changed = false) => {
    if (changed) plot.change("wire", ["a"]);
    plot.until(end);
    await plot.draw();
    return [plot.draws, plot.end];
  };
  expect(await draws(1000)).toEqual([1, 1000]);
  expect(await draws(1000.5)).toEqual([1, 1000]); // the plot is 342 pixels wide
  expect(await draws(1001, true)).toEqual([2, 1000]);
  expect(await draws(1003)).toEqual([3, 1003]);
  expect(await draws(20)).toEqual([4, 20]); // another run
  plot.close();
});
