/** One chart with its heading: joins the points of the runs that are shown, and draws only while it can be seen. */

import { h } from "../dom.js";
import { COLOURS } from "../theme.js";
import { Plot } from "./plot.js";
import { pointer } from "./pointer.js";
import { CHARTS, sentence, title } from "./words.js";

/**
 * @param {{name: string, title: string, note: string, table: string, spec: any, own?: boolean}} chart
 * @param {{state: any, names: any, partColours: any, signal: AbortSignal}} shared
 * @param {() => void} seen called when it comes into sight or changes its size
 */
export function panel(chart, { state, names, partColours, signal }, seen) {
  const host = h("div", { class: "sl-plot" });
  const wait = h("p", { class: "sl-wait sl-soft" });
  const label = chart.title || title(chart.name);
  const frame = h("div", { class: "sl-chart", role: "img", tabindex: chart.own ? null : 0, "aria-label": label }, host, wait);
  const note = h("span", { class: "sl-soft" }, chart.note);
  const el = h("section", { class: "sl-panel", "data-chart": chart.name }, h("h4", {}, label, " ", note), frame);
  let runs = [];
  let visible = !("IntersectionObserver" in globalThis);
  let pending = true;

  /** A point as Vega gets it: its own object, which says whose it is. */
  const dressed = (point, run, table) => point && { ...point, table, run: run.label, slot: run.slot, old: run.old };
  const tables = (name) => (name === "points" ? state.store.tables.filter((one) => !["marks", "rows"].includes(one)) : [name]);
  const key = (table, run, id) => `${table}|${run}|${id}`;
  const points = (name) => {
    const found = new Map();
    for (const table of tables(name))
      for (const run of runs)
        for (const point of state.store.all(table, run.key))
          found.set(key(table, run.key, point.id), dressed(point, run, table));
    return found;
  };
  const point = (name, key) => {
    const [table, number, id] = key.split("|");
    const run = runs.find((one) => one.key === Number(number));
    return run && dressed(state.store.get(table, run.key, id), run, table);
  };
  const plot = new Plot(host, chart, points, point);

  if (!chart.own) {
    const colour = (run) => (point) =>
      chart.table === "time" ? (partColours[point.part] ?? "transparent") : COLOURS[run.slot % COLOURS.length];
    const lines = () =>
      runs.map((run) => ({ label: run.label, old: run.old, colour: colour(run), points: state.store.all(chart.table, run.key) }));
    pointer(frame, chart, { end: () => plot.end, lines, names, signal });
  }

  /** What the chart says in words; a message in its middle while there is nothing to draw. */
  function describe() {
    const newest = runs.at(-1);
    frame.setAttribute("aria-label", sentence(chart, runs, newest ? state.store.all("marks", newest.key) : []));
    const begun = runs.some((run) => run.now?.clients);
    const nothing = !chart.own && !runs.some((run) => state.store.all(chart.table, run.key).length);
    wait.textContent = begun && nothing ? CHARTS[chart.name].wait : "";
    frame.classList.toggle("sl-nothing", nothing);
  }

  /** @param {{table: string, run: number, ids: string[] | null}[] | null} changes null: everything */
  function change(changes) {
    pending = true;
    if (changes === null) for (const name of plot.names) plot.change(name, null);
    for (const { table, run, ids } of changes ?? []) plot.change(table, ids && ids.map((id) => key(table, run, id)));
  }

  async function draw(shown) {
    runs = shown;
    if (!visible || !pending) return;
    pending = false;
    plot.until(Math.max(10, ...runs.map((run) => run.now?.seconds_run ?? 0)));
    describe();
    try {
      await plot.draw();
    } catch (error) {
      wait.textContent = `This chart cannot be drawn: ${error.message}`;
    }
  }

  const sight = visible
    ? null
    : new IntersectionObserver((entries) => {
        visible = entries.at(-1).isIntersecting;
        if (visible) seen();
      });
  const size = new ResizeObserver(() => ((pending = true), seen()));
  sight?.observe(frame);
  size.observe(frame);

  return {
    chart,
    el,
    change,
    draw,
    waiting: () => visible && pending,
    restyle: (config) => ((pending = true), plot.restyle(config)),
    close: () => (sight?.disconnect(), size.disconnect(), plot.close()),
  };
}
