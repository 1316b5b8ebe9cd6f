/** The runs by name, each with its colour and dash, a way to hide it and a way to remove it. */

import { h, s } from "../dom.js";
import { COLOURS } from "../theme.js";

const DASHES = ["", "6 4", "2 3", "8 3 2 3"]; // as in splitlab/charts

/** @param {{toggle: (key: number) => void, remove: (key: number) => void}} asked */
export function legend({ toggle, remove }) {
  const el = h("ul", { class: "sl-runs", "aria-label": "Runs" });
  let before = "";

  const item = (run, hidden) =>
    h(
      "li",
      { class: hidden ? "sl-hidden" : "" },
      h(
        "button",
        {
          type: "button",
          "data-run": `show ${run.key}`,
          "aria-pressed": String(!hidden),
          title: hidden ? "Show this run" : "Hide this run",
          click: () => toggle(run.key),
        },
        line(run),
        h("span", {}, run.label),
      ),
      run.old &&
        h(
          "button",
          { type: "button", "aria-label": `Remove ${run.label}`, title: "Remove this run", click: () => remove(run.key) },
          "×",
        ),
    );

  /** Draw it, if it changed: a button that is made anew loses the focus. */
  const show = (runs, hidden) => {
    const now = JSON.stringify(runs.map((run) => [run.key, run.label, run.slot, run.old, hidden.has(run.key)]));
    if (now === before) return;
    before = now;
    const focused = el.querySelector(":focus")?.dataset.run;
    el.replaceChildren(...runs.map((run) => item(run, hidden.has(run.key))));
    if (focused) el.querySelector(`[data-run="${focused}"]`)?.focus();
  };
  return { el, show };
}

const line = (run) =>
  s(
    "svg",
    { width: 28, height: 10, "aria-hidden": "true" },
    s("path", {
      d: "M0 5H28",
      stroke: COLOURS[run.slot % COLOURS.length],
      "stroke-width": 3,
      "stroke-dasharray": DASHES[run.slot % DASHES.length],
      opacity: run.old ? 0.55 : 1,
    }),
  );
