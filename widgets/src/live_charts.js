/** Live charts: figures of now, the runs that are shown, six charts that grow, and buttons to save what they show. */

import css from "./live_charts.css";
import { legend } from "./charts/legend.js";
import { look } from "./charts/look.js";
import { panel } from "./charts/panel.js";
import { receiver } from "./charts/save.js";
import { Store } from "./charts/store.js";
import { figures } from "./charts/figures.js";
import { h, listen, watch } from "./dom.js";
import { dress } from "./theme.js";

const SAVES = [
  ["csv", "CSV", "Save all rows of the runs that are shown as a table"],
  ["jsonl", "JSONL", "Save the newest run that is shown as a recording, which can be replayed"],
  ["html", "Charts", "Save these charts as a page that stands still"],
];
const FIGURE = new Intl.NumberFormat("en"); // made once: toLocaleString makes one for each figure
const hiddenRuns = new WeakMap(); // of each model: what is hidden outlives a view that is drawn anew

/** @param {import("./types.js").View} view */
function render(view) {
  const { model, el, signal } = view;
  const state = new State(model);
  const id = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
  const status = h("span", { class: "sl-soft", role: "status" });
  const say = (text) => (status.textContent = text);
  const numbers = figures();
  const runs = legend({
    toggle: (key) => (state.toggle(key), refresh(null)),
    remove: (key) => model.send({ type: "remove", run: key }),
  });
  const save = (what) => {
    say("Preparing the file");
    model.send({ type: "export", what, view: id, runs: state.visible().map((run) => run.key) });
  };
  const buttons = SAVES.map(([what, text, title]) =>
    h("button", { type: "button", title, "aria-label": title, click: () => save(what) }, text),
  );
  const grid = h("div", { class: "sl-charts" });
  const parts = h("ul", { class: "sl-parts", "aria-label": "Parts of a step" });
  const empty = h("p", { class: "sl-empty" }, "Press Start: the first points appear here");
  el.replaceChildren(
    h("div", { class: "sl-top" }, numbers.el, h("div", { class: "sl-save", role: "group", "aria-label": "Save" },
      h("span", { class: "sl-soft" }, "Save"), ...buttons, status)),
    runs.el,
    h("div", { class: "sl-frame" }, grid, empty),
  );

  let panels = [];
  let config = null;
  let asked = 0;

  /** Something changed (null: everything); draw it in the next frame. */
  function refresh(changes) {
    for (const one of panels) one.change(changes);
    asked ||= requestAnimationFrame(draw);
  }

  async function draw() {
    const shown = state.visible();
    const newest = shown.at(-1);
    empty.hidden = state.runs.some((run) => run.now?.clients);
    numbers.show(newest?.now, state.runs.length > 1 ? newest?.label : "");
    runs.show(state.runs, state.hidden);
    drawParts(newest);
    await Promise.all(panels.map((one) => one.draw(shown)));
    el.dispatchEvent(new CustomEvent("splitlab-drawn"));
    asked = 0; // not before: drawings never pile up
    if (!signal.aborted && panels.some((one) => one.waiting())) asked = requestAnimationFrame(draw);
  }

  /** The legend of the areas, with what each part takes now; made once, because it is written with every update. */
  function drawParts(newest) {
    const known = model.get("parts");
    if (parts.children.length !== known.length)
      parts.replaceChildren(
        ...known.map(({ part, name, colour }) =>
          h("li", { "data-part": part }, h("i", { style: `background:${colour}` }), name, h("b")),
        ),
      );
    const now = newest?.now?.parts ?? {};
    known.forEach(({ part }, index) => {
      const figure = part in now ? `${FIGURE.format(Math.round(now[part]))}\u202fµs` : "";
      parts.children[index].lastChild.textContent = figure;
    });
  }

  function build() {
    panels.forEach((one) => one.close());
    const shared = { state, names: byPart(model, "name"), partColours: byPart(model, "colour"), signal };
    panels = model.get("charts").map((chart) => panel(chart, shared, () => refresh([])));
    panels.forEach((one) => config && one.restyle(config));
    panels.find((one) => one.chart.name === "time")?.el.append(parts);
    grid.replaceChildren(...panels.map((one) => one.el));
    refresh(null);
  }

  const restyle = () => {
    const now = look(el);
    if (JSON.stringify(now) === JSON.stringify(config)) return;
    config = now;
    panels.forEach((one) => one.restyle(config));
    refresh(null);
  };
  const receive = receiver(say);
  dress(view, "live_charts", css, restyle);
  build();
  watch(model, signal, "charts", build);
  watch(model, signal, "runs", () => (state.renew(), refresh(null)));
  listen(model, signal, (message, buffers) => {
    if (message.type === "points") refresh(state.take(message));
    if (message.type === "file" && message.view === id) receive(message, buffers).catch((error) => say(String(error)));
    if (message.type === "problem" && message.view === id) say(message.text);
  });
  signal.addEventListener("abort", () => {
    cancelAnimationFrame(asked);
    panels.forEach((one) => one.close());
  });
  model.send({ type: "hello" });
}

/** What all charts of a view draw from: the runs, which of them are hidden, and their points. */
class State {
  constructor(model) {
    this.model = model;
    this.store = new Store();
    this.figures = {};
    if (!hiddenRuns.has(model)) hiddenRuns.set(model, new Set());
    this.hidden = hiddenRuns.get(model);
    this.renew();
  }

  renew() {
    this.runs = this.model.get("runs").map((run) => ({ ...run, now: this.figures[run.key] }));
    this.store.keep(new Set(this.runs.map((run) => run.key)));
  }

  take({ news, now }) {
    Object.assign(this.figures, now);
    this.runs.forEach((run) => (run.now = this.figures[run.key]));
    return this.store.take(news);
  }

  toggle(key) {
    if (!this.hidden.delete(key)) this.hidden.add(key);
  }

  visible = () => this.runs.filter((run) => !this.hidden.has(run.key));
}

const byPart = (model, what) => Object.fromEntries(model.get("parts").map((one) => [one.part, one[what]]));

export default { render };
