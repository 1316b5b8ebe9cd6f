/** One of several: side by side where there are few, as a menu where there are many, and in own words where allowed. */

import { h } from "../dom.js";

const OTHER = "other…";

/** @type {import("./field.js").Maker} */
export function choiceControl(field, id, send) {
  return field.segments.length ? segmented(field, id, send) : menu(field, id, send);
}

/** A menu; its last entry puts a box to write in, with examples, in the place of the menu. */
function menu(field, id, send, choices = field.choices, optional = field.optional, hint = "") {
  const open = field.examples.length > 0;
  const select = h(
    "select",
    { id },
    hint && h("option", { value: "", hidden: true }, hint),
    optional && h("option", { value: "" }, field.none),
    ...choices.map(({ value, label }) => h("option", { value }, label)),
    open && h("option", { value: OTHER }, "write it yourself…"),
  );
  const list = h("datalist", { id: `${id}-list` }, ...field.examples.map((value) => h("option", { value })));
  const own = textBox(`${id}-own`, send, {
    list: list.id,
    placeholder: `such as ${field.examples[0]}`,
    "aria-label": `${field.label}, in your own words`,
    hidden: true,
  });
  let now = null;
  const writing = (yes) => ([own.hidden, select.hidden] = [!yes, yes]);
  function show(value) {
    now = value;
    const known = value === null || choices.some((choice) => choice.value === value);
    select.querySelector("[data-own]")?.remove();
    if (!known) select.prepend(h("option", { value, "data-own": true }, value)); // whatever it is, it is shown
    select.value = value ?? "";
    select.title = select.selectedOptions[0]?.textContent ?? ""; // long ones are cut off
    writing(false);
  }
  select.addEventListener("change", () => {
    if (select.value !== OTHER) return send(select.value === "" ? null : select.value);
    own.value = own.defaultValue = select.querySelector("[data-own]")?.value ?? "";
    writing(true);
    own.focus();
  });
  own.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    if (event.key === "Escape") own.value = own.defaultValue;
    select.hidden = false;
    select.focus(); // which sends what was written
  });
  own.addEventListener("blur", () => show(now));
  const element = h("div", { class: "sl-menu" }, select, open && own, open && list);
  return { element, input: own, text: () => own.value, show };
}

/** Radio buttons for the usual ones, and a menu of the rest. */
function segmented(field, id, send) {
  const usual = field.choices.filter(({ value }) => field.segments.includes(value));
  const rest = field.choices.filter(({ value }) => !field.segments.includes(value));
  const others = menu(field, `${id}-others`, send, rest, false, "other…");
  const select = others.element.querySelector("select");
  select.setAttribute("aria-label", `${field.label}, others`);
  const radios = [
    field.optional && radio(id, "", field.none, () => send(null)),
    ...usual.map(({ value, label }) => radio(id, value, label, () => send(value))),
  ].filter(Boolean);
  const group = h("div", { class: "sl-segments", role: "radiogroup", "aria-label": field.label }, ...radios);
  return {
    ...others,
    element: h("div", { class: "sl-segmented" }, group, others.element),
    group,
    show(value) {
      const listed = value === null || usual.some((one) => one.value === value);
      group.querySelectorAll("input").forEach((input) => (input.checked = listed && input.value === (value ?? "")));
      others.show(listed ? null : value);
      select.classList.toggle("sl-chosen", !listed);
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
