/** Says whether the page is dark, and when that changes; carries the colours and the look that all widgets share. */

import css from "./style.css";
import { style } from "./dom.js";

/** Okabe and Ito's colours, the same as in splitlab/charts.py: told apart by colour-blind readers. */
export const COLOURS = [
  "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C6BB1", "#B8A600", "#7F7F7F", "#A65628",
];

/** @returns {boolean} */
export function isDark() {
  const light = document.body.dataset.jpThemeLight; // set by JupyterLab and by Voila
  if (light !== undefined) return light === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * Dress a widget's root element: shared styles, its own class, and `data-theme` kept up to date.
 * @param {import("./types.js").View} view
 * @param {string} name of the widget; its class is `splitlab-NAME`
 * @param {string} [own] the widget's own style sheet
 * @param {(dark: boolean) => void} [changed] called now and whenever the theme changes
 */
export function dress({ el, signal }, name, own = "", changed = () => {}) {
  el.classList.add("splitlab", `splitlab-${name}`);
  keepKeys(el, signal);
  const set = () => {
    style(el, "shared", css);
    if (own) style(el, name, own);
    const dark = isDark();
    el.dataset.theme = dark ? "dark" : "light";
    changed(dark);
  };
  set();
  queueMicrotask(set); // by then the element may stand in its root
  const observer = new MutationObserver(set);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const preference = matchMedia("(prefers-color-scheme: dark)");
  preference.addEventListener("change", set, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
}

/**
 * Keep JupyterLab's keys for cells (b: new cell, 0 0: restart) from taking what is typed in a widget, all but the one
 * that saves. Its selectors match the very element that has the focus, before any around it: so that one bears the
 * mark, too. JupyterLab listens at the document; the window hears a key before that.
 */
function keepKeys(el, signal) {
  const mark = (event) => {
    if (!el.contains(event.target)) return;
    const saves = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s";
    for (const { dataset } of [el, event.target]) {
      if (saves) delete dataset.lmSuppressShortcuts;
      else dataset.lmSuppressShortcuts = "true";
    }
  };
  window.addEventListener("keydown", mark, { capture: true, signal });
}
