/** Draws accuracy against bytes, a numbered point for each run or toggle, with a table and a sentence. */

import css from "./comparison.css";
import { h, s, watch } from "./dom.js";
import { bytes, percent, seconds } from "./format.js";
import { dress } from "./theme.js";

const WIDTH = 460;
const HEIGHT = 260;
const MARGIN = { left: 58, right: 18, top: 14, bottom: 44 };
const RADIUS = 11;

/** @param {import("./types.js").View} view */
function render(view) {
  const { model, el, signal } = view;
  const sentence = h("p", { class: "sl-sentence", role: "status" });
  const body = h("div");
  el.replaceChildren(sentence, body);
  const draw = () => {
    const points = model.get("points");
    sentence.textContent = model.get("sentence") || hint(points);
    body.replaceChildren(points.length ? h("div", { class: "sl-both" }, picture(points), table(points)) : empty());
  };
  dress(view, "comparison", css);
  watch(model, signal, ["points", "sentence"], draw);
  draw();
}

/** @param {object[]} points */
const hint = (points) =>
  points.length ? "Now change one thing, a codec or a link, and see what it does." : "What did the change do?";

const empty = () => h("div", { class: "sl-empty" }, "Press Start: every run and every toggle becomes a point here.");

/**
 * A linear scale with round ticks over a range.
 * @param {number} low @param {number} high @param {number} from @param {number} to
 */
export function scale(low, high, from, to) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const [begin, end] = [Math.floor(low / step) * step, Math.ceil(high / step || 1) * step];
  const count = Math.max(1, Math.round((end - begin) / step));
  return {
    at: (value) => from + ((value - begin) / (count * step)) * (to - from),
    ticks: Array.from({ length: count + 1 }, (_, index) => begin + index * step),
  };
}

/** @param {object[]} points */
function picture(points) {
  const known = points.map((point, index) => ({ ...point, number: index + 1 })).filter((one) => one.accuracy !== null);
  const values = known.map((point) => point.accuracy);
  const x = scale(0, Math.max(...points.map((point) => point.bytes), 1), MARGIN.left, WIDTH - MARGIN.right);
  const low = values.length ? Math.max(0, Math.min(...values) - 0.02) : 0;
  const high = values.length ? Math.min(1, Math.max(...values) + 0.005) : 1;
  const y = scale(low, high, HEIGHT - MARGIN.bottom, MARGIN.top);
  const text = known.map((point) => `${point.number}: ${percent(point.accuracy)} at ${bytes(point.bytes)}`).join("; ");
  return s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Accuracy against bytes per sample. ${text}` },
    ...y.ticks.map((tick) => row(y.at(tick), percent(tick, y.ticks[1] - y.ticks[0] < 0.01 ? 1 : 0))),
    ...x.ticks.map((tick) => column(x.at(tick), bytes(tick))),
    s("text", { x: (MARGIN.left + WIDTH) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "bytes per sample, up and down"),
    s("text", { x: MARGIN.left + 6, y: MARGIN.top + 10 }, "held-out accuracy ↑"),
    s("polyline", { class: "sl-way", points: known.map((point) => `${x.at(point.bytes)},${y.at(point.accuracy)}`).join(" ") }),
    ...known.map((point) => dot(point, x.at(point.bytes), y.at(point.accuracy), point === known.at(-1))),
  );
}

const row = (at, label) =>
  s("g", {}, s("line", { class: "sl-grid", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: at, y2: at }),
    s("text", { x: MARGIN.left - 8, y: at + 4, "text-anchor": "end" }, label));

const column = (at, label) =>
  s("g", {}, s("line", { class: "sl-grid", x1: at, x2: at, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
    s("text", { x: at, y: HEIGHT - MARGIN.bottom + 17, "text-anchor": "middle" }, label));

const dot = (point, x, y, now) =>
  s("g", { class: now ? "sl-point sl-now" : "sl-point" }, s("circle", { cx: x, cy: y, r: RADIUS }),
    s("text", { x, y }, point.number), s("title", {}, point.label));

/** @param {object[]} points */
function table(points) {
  const heads = ["", "settings", "accuracy", "bytes", "time"];
  const cells = (point, index) =>
    [index + 1, point.label, point.accuracy === null ? "…" : percent(point.accuracy), bytes(point.bytes), seconds(point.seconds)];
  return h("table", {},
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...points.map((point, index) => h("tr", {}, ...cells(point, index).map((text) => h("td", {}, text))))));
}

export default { render };
