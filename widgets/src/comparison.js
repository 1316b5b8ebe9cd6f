/** Draws accuracy against bytes, a numbered point for each run or toggle, with a table and a sentence. */

import css from "./comparison.css";
import { h, s, watch } from "./dom.js";
import { bytes, percent, seconds } from "./format.js";
import { dress } from "./theme.js";

const SIZES = [260, 420, 520]; // of the picture, in pixels: at least, where nobody says, at most
const HEIGHT = 220;
const MARGIN = { left: 56, right: 20, top: 26, bottom: 42 };
const RADIUS = 11;
const NARROW = 360; // below this there is room for few ticks
const BEFORE = "Press Start: every run, and every setting changed while it goes on, becomes a point here.";
const NEXT = "Now change one thing, a codec or a link, and see what it does.";
const WAIT = "The first point appears with the first held-out accuracy.";

/** @param {import("./types.js").View} view */
function render(view) {
  const { model, el, signal } = view;
  const sentence = h("p", { class: "sl-sentence", role: "status" });
  const chart = h("div", { class: "sl-chart" });
  const list = h("div", { class: "sl-list", tabindex: 0, role: "region", "aria-label": "Runs and changes" });
  const both = h("div", { class: "sl-both" }, chart, list);
  el.replaceChildren(h("h3", {}, "What did the change do?"), sentence, both);
  let drawn = 0;

  function paint() {
    const [least, usual, most] = SIZES;
    drawn = chart.clientWidth;
    const points = model.get("points");
    const width = Math.min(most, Math.max(least, drawn || usual));
    const seen = points.some(({ accuracy }) => accuracy !== null);
    chart.replaceChildren(seen ? picture(points, width) : h("p", { class: "sl-wait" }, WAIT));
  }
  function draw() {
    const points = model.get("points");
    const text = model.get("sentence") || (points.length ? NEXT : BEFORE);
    if (sentence.textContent !== text) sentence.textContent = text; // or it would be read out again
    sentence.classList.toggle("sl-soft", !model.get("sentence"));
    both.hidden = !points.length;
    list.replaceChildren(table(points));
    list.scrollTop = list.scrollHeight; // the newest is the last
    paint();
  }
  dress(view, "comparison", css);
  watch(model, signal, ["points", "sentence"], draw);
  draw();
  // Drawn at its own width, not scaled: its text is as large as any other.
  const observer = new ResizeObserver(() => chart.clientWidth !== drawn && paint());
  observer.observe(chart);
  signal.addEventListener("abort", () => observer.disconnect());
}

/**
 * A linear scale with round ticks over a range.
 * @param {number} low @param {number} high @param {number} from @param {number} to
 * @param {number} [parts] about so many
 */
export function scale(low, high, from, to, parts = 4) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const [begin, end] = [Math.floor(low / step) * step, Math.ceil(high / step || 1) * step];
  const count = Math.max(1, Math.round((end - begin) / step));
  return {
    at: (value) => from + ((value - begin) / (count * step)) * (to - from),
    ticks: Array.from({ length: count + 1 }, (_, index) => begin + index * step),
  };
}

/** @param {object[]} points @param {number} width in pixels */
function picture(points, width) {
  const known = points.map((point, index) => ({ ...point, number: index + 1 })).filter((one) => one.accuracy !== null);
  const values = known.map((point) => point.accuracy);
  const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, HEIGHT - MARGIN.bottom];
  const x = scale(0, Math.max(...points.map((point) => point.bytes), 1), left, right, width < NARROW ? 2 : 4);
  const y = scale(Math.max(0, Math.min(...values) - 0.02), Math.min(1, Math.max(...values) + 0.005), bottom, MARGIN.top);
  const places = beside(known.map((point) => ({ ...point, x: x.at(point.bytes), y: y.at(point.accuracy) })), right);
  const text = known.map((point) => `${point.number}: ${percent(point.accuracy)} at ${bytes(point.bytes)}`).join("; ");
  return s(
    "svg",
    { width, height: HEIGHT, role: "img", "aria-label": `Accuracy against bytes per sample. ${text}` },
    ...y.ticks.map((tick) => row(y.at(tick), left, right, percent(tick, y.ticks[1] - y.ticks[0] < 0.01 ? 1 : 0))),
    ...x.ticks.map((tick) => column(x.at(tick), bottom, bytes(tick))),
    s("text", { x: (left + right) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, "bytes per sample, up and down"),
    s("text", { x: 0, y: 13 }, "held-out accuracy"),
    s("polyline", { class: "sl-way", points: places.map((point) => `${point.at},${point.y}`).join(" ") }),
    ...places.map(dot),
  );
}

/** Gives each point a place for its number, `at`: on it, or beside it where another number stands already. */
function beside(points, right) {
  const taken = [];
  const free = (x, y) => taken.every(([otherX, otherY]) => Math.hypot(x - otherX, y - otherY) >= 2 * RADIUS);
  return points.map((point) => {
    const way = point.x > right / 2 ? -1 : 1; // to the side on which there is room
    let at = point.x;
    while (!free(at, point.y)) at += way;
    taken.push([at, point.y]);
    return { ...point, at };
  });
}

const row = (y, left, right, label) =>
  s("g", {},
    s("line", { class: "sl-grid", x1: left, x2: right, y1: y, y2: y }),
    s("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, label));

const column = (x, bottom, label) =>
  s("g", {},
    s("line", { class: "sl-grid", x1: x, x2: x, y1: MARGIN.top, y2: bottom }),
    s("text", { x, y: bottom + 17, "text-anchor": "middle" }, label));

const dot = ({ y, at, number, label }, index, all) =>
  s("g", { class: index === all.length - 1 ? "sl-point sl-now" : "sl-point" },
    s("circle", { cx: at, cy: y, r: RADIUS }), s("text", { x: at, y }, number), s("title", {}, label));

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
