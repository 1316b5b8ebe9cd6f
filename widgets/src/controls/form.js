/** Settings as a slim row at hand, and all of them in groups, where those for experts are one click further. */

import { h } from "../dom.js";
import { fieldView } from "./field.js";

/**
 * @typedef {object} Form
 * @property {HTMLElement} element
 * @property {(now: (name: string) => any) => void} update with what `fieldView` is updated with, by name
 */

/**
 * A row of settings; what is wrong with them stands below it, over its whole width.
 * @param {any[]} fields
 * @param {(name: string, value: any) => void} send
 * @returns {Form}
 */
export function slimRow(fields, send) {
  const views = viewsOf(fields.map((field) => ({ ...field, slim: true })), send);
  const all = [...views.values()];
  for (const { name, choices } of fields) views.get(name).element.style.setProperty("--sl-longest", longest(choices));
  const row = h("div", { class: "sl-hand" }, ...all.map((view) => view.element));
  const element = h("div", {}, row, ...all.map((view) => view.wrong));
  return { element, update: (now) => views.forEach((view, name) => view.update(now(name))) };
}

/** @returns {number} letters of the longest choice: room is shared out by it */
const longest = (choices = []) => Math.max(1, ...choices.map(({ label }) => label.length));

/**
 * All settings, by group.
 * @param {any[]} fields
 * @param {(name: string, value: any) => void} send
 * @param {string[]} [elsewhere] names of those that stand at hand, too
 * @returns {Form}
 */
export function form(fields, send, elsewhere = []) {
  const views = viewsOf(fields, send);
  const names = [...new Set(fields.map(({ group }) => group))];
  const groups = names.map((name) => group(fields.filter((field) => field.group === name), views));
  function update(now) {
    for (const [name, view] of views) if (view.update(now(name)) && !elsewhere.includes(name)) reveal(view.element);
  }
  return { element: h("div", { class: "sl-form" }, ...groups), update };
}

/** Open whatever hides an element: a complaint that nobody sees helps nobody. */
function reveal(element) {
  for (let fold = element.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

const viewsOf = (fields, send) =>
  new Map(fields.map((field) => [field.name, fieldView(field, (value) => send(field.name, value))]));

function group(fields, views) {
  const of = (yes) => fields.filter(({ advanced }) => advanced === yes).map(({ name }) => views.get(name).element);
  const more = of(true);
  return h(
    "fieldset",
    {},
    h("legend", {}, fields[0].title),
    ...of(false),
    more.length > 0 && h("details", { class: "sl-more" }, h("summary", {}, `More settings (${more.length})`), ...more),
  );
}
