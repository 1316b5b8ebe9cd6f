/** One setting: its label, its control, a line of help, and what is wrong with what was given. */

import { h } from "../dom.js";
import { choiceControl, linesControl, textControl } from "./choice.js";
import { numberControl } from "./number.js";

/**
 * What makes a control: it sends a value, or a problem that the page itself sees.
 * @typedef {(field: any, id: string, send: (value: any, problem?: string) => void) => Control} Maker
 * @typedef {object} Control
 * @property {HTMLElement} element
 * @property {HTMLElement} [input] which may hold what was not sent yet
 * @property {HTMLElement} [group] of radio buttons, which names itself
 * @property {() => string} [text] that is in the input
 * @property {(value: any) => void} show
 */

/** @type {Record<string, Maker>} */
const CONTROLS = {
  switch: switchControl,
  number: numberControl,
  choice: choiceControl,
  lines: linesControl,
  text: textControl,
};
const LIVE = "Takes effect at once, from the next step";
const NEXT = "Takes effect with the next start";
let made = 0; // ids differ between views of one widget

/**
 * A slim one has no slider, shows its help when pointed at, and leaves it to others to place what is `wrong`.
 * @param {any} field as `choices.form` describes it, and whether it is `slim`
 * @param {(value: any) => void} send
 */
export function fieldView(field, send) {
  const id = `sl-setting-${++made}`;
  const note = h("span", { class: "sl-badge sl-next", title: NEXT, hidden: true }, field.slim ? "next" : "next start");
  const help = h("p", { class: field.slim ? "sl-unseen" : "sl-help", id: `${id}-help` });
  const wrong = h("p", { class: "sl-wrong sl-bad", id: `${id}-wrong`, role: "alert", hidden: true });
  const complain = (text) => {
    wrong.hidden = !text;
    const named = !text || !field.slim || text.startsWith(field.name);
    wrong.textContent = named ? text : `${field.label}: ${text}`;
    element.classList.toggle("sl-is-wrong", Boolean(text));
    inputs().forEach((input) => input.setAttribute("aria-invalid", String(Boolean(text))));
  };
  const control = CONTROLS[field.kind](field, id, (value, problem = "") => (problem ? complain(problem) : send(value)));
  const label = h(control.group ? "span" : "label", control.group ? {} : { for: id }, field.label);
  const live = field.live && h("span", { class: "sl-badge sl-live", title: LIVE }, "live");
  const head = h("div", { class: "sl-label" }, label, live, note);
  const element = h("div", { class: "sl-field", "data-name": field.name }, head, control.element, help, !field.slim && wrong);
  const inputs = () => [...control.element.querySelectorAll("input, select, textarea")];
  inputs().forEach((input) => input.setAttribute("aria-describedby", `${help.id} ${wrong.id}`));
  let shown;
  let drawn = "";

  const editing = () => control.input && control.input === focused(control.input) && control.text() !== drawn;
  const draw = (value) => {
    control.show(value);
    drawn = control.text?.() ?? "";
  };
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && editing()) draw(shown.value);
    // JupyterLab keeps Enter from the browser, which would say so itself.
    if (event.key === "Enter" && editing() && event.target.matches("input")) event.target.dispatchEvent(new Event("change"));
  });

  /**
   * @param {{value: any, problem?: {text: string, value: any}, pending: boolean, locked?: string}} now
   * @returns {boolean} whether there is a problem that was not there before
   */
  function update(now) {
    const before = shown?.text ?? "";
    const text = now.problem?.text ?? "";
    const value = now.problem ? now.problem.value : now.value;
    const key = JSON.stringify([value, text]);
    if (shown?.key !== key) {
      complain(text);
      if (!editing()) draw(value);
      shown = { key, value, text };
    }
    note.hidden = !now.pending;
    help.textContent = now.locked || [field.help, about(field, value)].filter(Boolean).join(" ");
    if (field.slim) element.title = help.textContent;
    inputs().forEach((input) => (input.disabled = Boolean(now.locked)));
    return text !== "" && text !== before;
  }
  return { element, update, wrong };
}

/** What is known about the chosen value. */
function about(field, value) {
  const choice = field.choices?.find((one) => one.value === value);
  return choice?.about ? `${choice.about}.` : "";
}

const focused = (element) => /** @type {any} */ (element.getRootNode()).activeElement;

/** @type {Maker} */
function switchControl(field, id, send) {
  const box = h("input", { id, type: "checkbox", role: "switch", change: () => send(box.checked) });
  const word = h("span", { "aria-hidden": "true" });
  const show = (value) => {
    box.checked = Boolean(value);
    word.textContent = value ? "on" : "off";
  };
  return { element: h("div", { class: "sl-switch" }, box, word), show };
}
