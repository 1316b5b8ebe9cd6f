/** One of several: side by side where there are few, as a menu where there are many, and in own words where allowed. */

import { h } from "../dom.js";

const OTHER = "other…";

/** @type {import("./field.js").Maker} */
export function choiceControl(field, id, send) {
  return field.segments.length ? segmented(field, id, send) : menu(field, id, send, field.choices);
}

/** A menu; its last entry opens a box to write in, with examples. */
function menu(field, id, send, choices, optional = field.optional, hint = false) {
  const open = field.examples.length > 0;
  const select = h(
    "select",
    { id },
    hint && h("option", { value: "", hidden: true }, "choose…"),
    optional && h("option", { value: "" }, field.none),
    ...choices.map(({ value, label }) => h("option", { value }, label)),
    open && h("option", { value: OTHER }, "write it yourself…"),
  );
  const list = h("datalist", { id: `${id}-list` }, ...field.examples.map((value) => h("option", { value })));
  const own = textBox(`${id}-own`, (text) => send(text), {
    list: list.id,
    placeholder: `such as ${field.examples[0]}`,
    "aria-label": `${field.label}, in your own words`,
  });
  own.hidden = true;
  select.addEventListener("change", () => {
    own.hidden = select.value !== OTHER;
    if (own.hidden) return send(select.value === "" ? null : select.value);
    own.value = "";
    own.focus();
  });
  return {
    element: h("div", { class: "sl-menu" }, select, open && own, open && list),
    input: own, // what may hold half a word
    text: () => own.value,
    show(value) {
      const listed = value === null ? optional : choices.some((choice) => choice.value === value);
      const strange = !listed && !open && ![...select.options].some((option) => option.value === value);
      if (strange) select.append(h("option", { value }, value)); // what Python says is shown, whatever it is
      own.hidden = listed || !open;
      select.value = own.hidden ? (value ?? "") : OTHER;
      own.value = own.hidden ? "" : value;
    },
  };
}

/** Radio buttons for the usual ones; "other" opens a menu of the rest. */
function segmented(field, id, send) {
  const usual = field.choices.filter(({ value }) => field.segments.includes(value));
  const rest = field.choices.filter(({ value }) => !field.segments.includes(value));
  const others = menu({ ...field, optional: false }, `${id}-others`, send, rest, false, true);
  others.element.querySelector("select").setAttribute("aria-label", `${field.label}, others`);
  const radios = [
    field.optional && radio(id, "", field.none, () => send(null)),
    ...usual.map(({ value, label }) => radio(id, value, label, () => send(value))),
    radio(id, OTHER, "other", () => {
      others.element.hidden = false;
      others.element.querySelector("select").value = "";
    }),
  ].filter(Boolean);
  const group = h("div", { class: "sl-segments", role: "radiogroup", "aria-label": field.label }, ...radios);
  return {
    element: h("div", {}, group, others.element),
    group,
    input: others.input,
    text: others.text,
    show(value) {
      const key = value === null && field.optional ? "" : usual.some((one) => one.value === value) ? value : OTHER;
      group.querySelectorAll("input").forEach((input) => (input.checked = input.value === key));
      others.element.hidden = key !== OTHER;
      others.show(key === OTHER ? value : null);
    },
  };
}

const radio = (name, value, label, picked) =>
  h("label", {}, h("input", { type: "radio", name, value, change: picked }), h("span", {}, label));

/** @type {import("./field.js").Maker} */
export function textControl(field, id, send) {
  const box = textBox(id, (text) => send(text || (field.optional ? null : "")), {
    placeholder: field.optional ? field.none : "",
  });
  return { element: h("div", {}, box), input: box, text: () => box.value, show: (value) => (box.value = value ?? "") };
}

/** @type {import("./field.js").Maker} */
export function linesControl(field, id, send) {
  const box = h("textarea", { id, rows: 2, placeholder: "none; one on each line", spellcheck: "false" });
  const read = () => box.value.split("\n").map((line) => line.trim()).filter(Boolean);
  box.addEventListener("change", () => send(read()));
  const examples = field.examples ?? [];
  const add = h(
    "select",
    { "aria-label": `Add to ${field.label}` },
    h("option", { value: "" }, "add one…"),
    ...examples.map((value) => h("option", { value }, value)),
  );
  add.addEventListener("change", () => {
    box.value = [...read(), add.value].join("\n");
    add.value = "";
    send(read());
  });
  return {
    element: h("div", { class: "sl-menu" }, box, examples.length > 0 && add),
    input: box,
    text: () => box.value,
    show: (value) => (box.value = [value ?? []].flat().join("\n")),
  };
}

function textBox(id, send, attributes) {
  const box = h("input", { id, type: "text", spellcheck: "false", autocomplete: "off", ...attributes });
  box.addEventListener("change", () => send(box.value.trim()));
  return box;
}
