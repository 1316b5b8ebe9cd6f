/** The devices: a row for the server and for each client, with its state, its figures, and Jupyter's own verbs. */

import { line, SILENT } from "./controls/kernel.js";
import { deviceRow } from "./controls/device.js";
import css from "./devices.css";
import { h, listen, watch } from "./dom.js";
import { dress } from "./theme.js";

const COLUMNS = ["Device", "Kernel", "Machine", "Last seen", "Sent up", "Sent down", "Epoch, step", "Memory", "Actions"];
const EMPTY = "No device yet. Press Start: the server and its clients appear here.";
const TROUBLE = ["dead", "failed", "lost"];

/** @param {import("./types.js").View} view */
function render({ model, el, signal }) {
  dress({ model, el, signal }, "devices", css);
  el.dataset.lmSuppressShortcuts = "true"; // or JupyterLab would move between cells on arrow keys and Enter
  const silent = h("p", { class: "sl-silent", role: "alert", hidden: true }, SILENT);
  const say = line(model, signal, (listening) => (silent.hidden = listening));
  const summary = h("p", { class: "sl-summary", role: "status", "aria-live": "polite" });
  const body = h("div", { class: "sl-rows", role: "rowgroup" });
  const heads = COLUMNS.map((name) => h("span", { role: "columnheader" }, name));
  const table = h(
    "div",
    { class: "sl-table", role: "table", "aria-label": "Devices", tabindex: 0 },
    h("div", { role: "rowgroup" }, h("div", { class: "sl-head", role: "row" }, ...heads)),
    body,
  );
  const empty = h("p", { class: "sl-soft sl-empty" }, EMPTY);
  const rows = new Map();
  el.replaceChildren(summary, silent, empty, table);

  const show = () => {
    const machines = model.get("machines");
    const names = machines.map(({ name }) => name);
    for (const [name, row] of rows) if (!names.includes(name)) (row.element.remove(), rows.delete(name));
    for (const machine of machines) {
      if (!rows.has(machine.name)) rows.set(machine.name, deviceRow(machine.name, inLab(), say));
      rows.get(machine.name).update(machine, model.get("recorded"));
    }
    const inPlace = machines.every(({ name }, place) => body.children[place] === rows.get(name).element);
    if (!inPlace) body.replaceChildren(...names.map((name) => rows.get(name).element));
    [empty.hidden, table.hidden] = [machines.length > 0, machines.length === 0];
    const text = counted(machines);
    if (summary.textContent !== text) summary.textContent = text;
    count();
  };
  const count = () => {
    const figures = model.get("figures");
    for (const [name, row] of rows) row.count(figures[name] ?? []);
  };
  show();
  watch(model, signal, ["machines", "recorded"], show);
  watch(model, signal, "figures", count);
  listen(model, signal, (message) => message.type === "console" && rows.get(message.name)?.answer(message));
  const clock = setInterval(() => !document.hidden && count(), 1000); // "2 s ago" grows by itself
  signal.addEventListener("abort", () => {
    clearInterval(clock);
    el.replaceChildren();
  });
}

/** Whether this is JupyterLab, which can open a console; Voila, whose shell looks much like it, cannot. */
const inLab = () => document.querySelector("#jp-main-dock-panel") !== null;

/** How many there are, and how many are in trouble: what a screen reader hears when that changes. */
function counted(machines) {
  const clients = machines.filter(({ role }) => role !== "server").length;
  if (!clients) return "";
  const sick = machines.filter(({ state }) => TROUBLE.includes(state)).map(({ name }) => name);
  const all = `${clients < machines.length ? "Server and " : ""}${clients} client${clients > 1 ? "s" : ""}`;
  return sick.length ? `${all}. In trouble: ${sick.join(", ")}.` : `${all}.`;
}

export default { render };
