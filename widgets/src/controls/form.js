/** All settings in groups, the usual ones at hand and the rest one click further. */

import { h } from "../dom.js";
import { fieldView } from "./field.js";

const TALL = 4; // settings at hand in one column: a group for which there is no room begins the next

/**
 * @param {any[]} fields
 * @param {(name: string, value: any) => void} send
 * @param {boolean} chosen whether these were chosen: then all are at hand, and each group has its own column
 * @returns {{element: HTMLElement, update: (now: (name: string) => any) => void}}
 */
export function form(fields, send, chosen = false) {
  const views = new Map(fields.map((field) => [field.name, fieldView(field, (value) => send(field.name, value))]));
  const names = [...new Set(fields.map(({ group }) => group))];
  const groups = names.map((name) => fields.filter(({ group }) => group === name));
  const element = h("div", { class: "sl-form" }, ...columns(groups, chosen).map((some) => column(some, views, chosen)));
  function update(now) {
    for (const [name, view] of views) view.update(now(name));
    for (const details of element.querySelectorAll("details"))
      if (details.querySelector(".sl-is-wrong")) details.open = true; // a complaint that nobody sees helps nobody
  }
  return { element, update };
}

/** Groups in their order, some one above the other, so that columns are about equally high. */
function columns(groups, chosen) {
  const found = [];
  let room = 0;
  for (const group of groups) {
    const height = group.filter(({ advanced }) => !advanced).length;
    if (chosen || !found.length || height > room) {
      found.push([]);
      room = TALL;
    }
    found.at(-1).push(group);
    room -= height;
  }
  return found;
}

const column = (groups, views, chosen) =>
  h("div", { class: "sl-column" }, ...groups.map((fields) => group(fields, views, chosen)));

function group(fields, views, chosen) {
  const folded = (field) => field.advanced && !chosen;
  const of = (yes) => fields.filter((field) => folded(field) === yes).map(({ name }) => views.get(name).element);
  const more = of(true);
  return h(
    "fieldset",
    {},
    h("legend", {}, fields[0].title),
    ...of(false),
    more.length > 0 && h("details", { class: "sl-more" }, h("summary", {}, `More settings (${more.length})`), ...more),
  );
}
