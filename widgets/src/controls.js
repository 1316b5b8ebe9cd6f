/** The controls: five buttons, where the run stands, a few settings at hand, and all of them one click further. */

import { bar, GOING_ON } from "./controls/bar.js";
import { copyButton } from "./controls/copying.js";
import formCss from "./controls/form.css";
import { form, slimRow } from "./controls/form.js";
import { line, SILENT } from "./controls/kernel.js";
import { standing } from "./controls/standing.js";
import css from "./controls.css";
import { h, listen, watch } from "./dom.js";
import { dress } from "./theme.js";

const STALE = 10_000; // milliseconds without news while a run goes on, after which we ask whether the kernel is there
const MOVING = ["starting", "training", "stopping", "resetting"];

/** @param {import("./types.js").View} view */
function render({ model, el, signal }) {
  dress({ model, el, signal }, "controls", css + formCss);
  const kernel = silence(() => say({ type: "hello" }));
  const say = line(model, signal, (listening) => {
    kernel.update(listening);
    el.classList.toggle("sl-unheard", !listening); // what is shown may be old
  });
  watchLink(model, signal, () => say({ type: "hello" }));
  const state = () => model.get("state");
  const press = (what, heard) => say({ type: "press", what }, heard);
  const buttons = bar(state, press);
  const later = waiting(() => press("restart"));
  const where = standing();
  const whole = states(model, signal, say);
  const hand = h("fieldset", { class: "sl-settings", "aria-label": "Settings at hand" });
  const home = h("fieldset", { class: "sl-settings", "aria-label": "All settings" });
  const fold = h("details", { class: "sl-all" }, h("summary", {}, "All settings"), home);
  const news = h("div", { class: "sl-news" }, ...where.news, later.element, kernel.element);
  let shown = [];

  const build = () => keepPlace(el, () => {
    const [all, only] = [model.get("fields"), model.get("only")];
    const names = only.length ? only : model.get("at_hand");
    const send = (name, value) => say({ type: "set", name, value });
    shown = [slimRow(names.map((name) => all.find((field) => field.name === name)).filter(Boolean), send)];
    if (!only.length) shown.push(form(all, send, names));
    whole.tools.hidden = fold.hidden = only.length > 0;
    hand.replaceChildren(shown[0].element);
    home.replaceChildren(...shown.slice(1).map((one) => one.element));
    show();
  });
  const show = () => {
    const [values, problems, locked] = ["values", "problems", "locked"].map((name) => model.get(name));
    const pending = GOING_ON.includes(state()) ? model.get("pending") : [];
    hand.disabled = home.disabled = model.get("recorded");
    for (const one of shown)
      one.update((name) => ({
        value: values[name],
        problem: problems[name],
        pending: pending.includes(name),
        locked: locked[name],
      }));
    later.update(model.get("fields").filter(({ name }) => pending.includes(name)));
  };
  const stand = () => {
    buttons.update();
    where.update(state(), model.get("status"));
  };
  el.replaceChildren(
    h("div", { class: "sl-top" }, buttons.element, whole.tools),
    whole.element,
    where.element,
    hand,
    h("div", { class: "sl-foot" }, news, fold),
  );
  build();
  stand();
  watch(model, signal, ["fields", "only", "at_hand"], build);
  watch(model, signal, ["values", "problems", "pending", "locked", "recorded", "state"], show);
  watch(model, signal, ["state", "status"], stand);
  whenStale(model, signal, () => MOVING.includes(state()) && say({ type: "hello" }));
  signal.addEventListener("abort", () => el.replaceChildren());
}

/** Make the form anew around whoever works in it: what had the focus has it again, what was open is open. */
function keepPlace(el, make) {
  const inputs = (home) => [...home.querySelectorAll("input, select, textarea")];
  const fields = () => [...el.querySelectorAll(".sl-field")];
  const folds = () => [...el.querySelectorAll(".sl-more")];
  const active = /** @type {any} */ (el.getRootNode()).activeElement;
  const at = fields().findIndex((field) => field.contains(active));
  const inside = at < 0 ? -1 : inputs(fields()[at]).indexOf(active);
  const open = folds().map((fold) => fold.open);
  make();
  folds().forEach((fold, index) => (fold.open ||= Boolean(open[index])));
  if (inside >= 0) inputs(fields()[at] ?? el)[inside]?.focus();
}

/** Call back when the channel to the kernel opens or closes, as it does when the kernel is restarted. */
function watchLink(model, signal, callback) {
  model.on("comm_live_update", callback);
  signal.addEventListener("abort", () => model.off("comm_live_update", callback));
}

/** Says that the kernel does not answer, and asks again on demand. */
function silence(ask) {
  const again = h("button", { type: "button", click: ask }, "Ask again");
  const element = h("div", { class: "sl-silent", role: "alert", hidden: true }, h("span", {}, SILENT), again);
  return { element, update: (listening) => (element.hidden = listening) };
}

/** Settings that wait for the next start. */
function waiting(restart) {
  const names = h("span");
  const element = h(
    "div",
    { class: "sl-pending", role: "status", hidden: true },
    names,
    h("button", { type: "button", click: restart }, "Restart now"),
  );
  const update = (fields) => {
    element.hidden = fields.length === 0;
    const text = `Takes effect with the next start: ${fields.map(({ label }) => label).join(", ")}.`;
    if (names.textContent !== text) names.textContent = text;
  };
  return { element, update };
}

/** "Copy state" and "Paste state": the whole lab as one line. */
function states(model, signal, say) {
  const box = h("textarea", { rows: 2, "aria-label": "State to use", placeholder: "Paste the line here", spellcheck: "false" });
  const wrong = h("p", { class: "sl-bad", role: "alert" });
  const use = h("button", { type: "button", click: () => say({ type: "paste", text: box.value.trim() }) }, "Use it");
  const element = h(
    "div",
    { class: "sl-paste", hidden: true },
    box,
    h("div", { class: "sl-row" }, use, h("button", { type: "button", click: () => open(false) }, "Cancel"), wrong),
  );
  const button = h("button", { type: "button", click: () => open(element.hidden), "aria-expanded": "false" }, "Paste state");
  function open(yes) {
    element.hidden = !yes;
    button.setAttribute("aria-expanded", String(yes));
    (yes ? box : button).focus();
  }
  element.addEventListener("keydown", (event) => event.key === "Escape" && open(false));
  listen(model, signal, ({ type }) => {
    if (type !== "pasted" || element.hidden) return;
    box.value = "";
    open(false);
  });
  const complain = () => {
    const problem = model.get("problems").paste;
    wrong.textContent = problem?.text ?? "";
    if (problem && !box.value) box.value = problem.value;
  };
  watch(model, signal, "problems", complain);
  complain();
  const tools = h("div", { class: "sl-tools" }, copyButton("Copy state", () => model.get("state_line")), button);
  return { element, tools };
}

/** Call back whenever there was no news from Python for a while. */
function whenStale(model, signal, ask) {
  let timer = setInterval(ask, STALE);
  watch(model, signal, ["state", "status"], () => {
    clearInterval(timer);
    timer = setInterval(ask, STALE);
  });
  signal.addEventListener("abort", () => clearInterval(timer));
}

export default { render };
