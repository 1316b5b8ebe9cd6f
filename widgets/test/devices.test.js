/** The devices panel: a row for each, told apart by words, with verbs that ask before they hurt. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ago } from "../src/controls/device.js";
import { PATIENCE } from "../src/controls/kernel.js";
import devices from "../src/devices.js";
import { fakeModel, fakeView } from "./model.js";

const NOW = 1_800_000_000;
const device = (name, more) => ({
  name, role: name === "server" ? "server" : "client", place: "kernel", state: "training",
  facts: { host: "pi", system: "Linux", cores: 4, memory: 4e9, python: "3.11", torch: "2.13" }, process_id: 7, log: "one\ntwo",
  error: "", ...more,
});
const FIGURES = [NOW - 2, 2_000_000, 500, 2, 34, 3e8];

let views = [];
function show(machines, more = {}) {
  const figures = Object.fromEntries(machines.map(({ name }) => [name, FIGURES]));
  const model = fakeModel({ machines, figures, recorded: false, ...more });
  const view = fakeView(model);
  views.push(view);
  devices.render(view);
  return { model, view, el: view.el };
}
const at = (el, name) => el.querySelector(`[data-name="${name}"]`);
const verb = (el, words) => el.querySelector(`[aria-label="${words}"]`);
const button = (el, name) => [...el.querySelectorAll("button")].find((one) => one.textContent === name);
const last = (model) => {
  const { id, ...message } = model.sent.at(-1) ?? {};
  return message;
};

beforeEach(() => vi.useFakeTimers({ now: NOW * 1000 }));
afterEach(() => {
  views.forEach((view) => view.end());
  views = [];
  document.body.id = "";
  vi.useRealTimers();
});

test("before a run it says how to get devices", () => {
  const { el } = show([]);
  expect(el.querySelector(".sl-empty").textContent).toContain("Press Start");
  expect(el.querySelector(".sl-table").hidden).toBe(true);
});

test("a row says what a device is, how it is, and what it sent", () => {
  const { el } = show([device("server", { state: "running" }), device("client 0")]);
  const text = at(el, "client 0").textContent;
  for (const part of ["client 0", "kernel", "training", "pi · Linux", "4 cores", "2 s ago", "2\u202fMB", "500\u202fB", "2, 34", "300\u202fMB"])
    expect(text).toContain(part);
  expect(el.querySelector(".sl-summary").textContent).toBe("Server and 1 client.");
});

test("the time since a device was seen grows by itself", () => {
  const { el } = show([device("client 0")]);
  vi.advanceTimersByTime(3000);
  expect(at(el, "client 0").textContent).toContain("5 s ago");
});

test("new figures change no element but the text", () => {
  const { model, el } = show([device("client 0")]);
  const row = at(el, "client 0");
  const state = row.querySelector(".sl-state span");
  model.change("figures", { "client 0": [NOW, 3_000_000, 500, 2, 35, null] });
  model.change("machines", [device("client 0")]);
  expect(at(el, "client 0")).toBe(row);
  expect(row.querySelector(".sl-state span")).toBe(state);
  expect(row.textContent).toContain("2, 35");
});

test("rows come and go with the devices, in their order", () => {
  const { model, el } = show([device("client 0"), device("client 1")]);
  model.change("machines", [device("server"), device("client 1")]);
  expect([...el.querySelectorAll(".sl-device")].map((one) => one.dataset.name)).toEqual(["server", "client 1"]);
});

test("a dead kernel is named in the summary, and its row says what to do", () => {
  const { model, el } = show([device("client 0"), device("client 1")]);
  model.change("machines", [device("client 0"), device("client 1", { state: "dead", error: "killed by signal 9\n\nTraceback" })]);
  expect(el.querySelector(".sl-summary").textContent).toContain("In trouble: client 1");
  expect(at(el, "client 1").querySelector(".sl-remedy").textContent).toContain("Restart gives it a new one, and it goes on");
  expect(at(el, "client 1").querySelector(".sl-bad:not([hidden])").textContent).toBe("killed by signal 9");
  expect(verb(el, "Kill client 1").disabled).toBe(true);
  expect(verb(el, "Restart client 1").disabled).toBe(false);
  verb(el, "Restart client 1").click();
  expect(last(model)).toEqual({ type: "restart", name: "client 1" });
});

test("the server cannot be restarted, and the row says that its end is the end of the run", () => {
  const { model, el } = show([device("server", { state: "running" })]);
  expect(verb(el, "Restart server").disabled).toBe(true);
  verb(el, "Kill server").click();
  expect(el.querySelector(".sl-question").textContent).toContain("The run ends.");
  model.change("machines", [device("server", { state: "failed" })]);
  expect(at(el, "server").querySelector(".sl-remedy").textContent).toContain("press Start");
});

test("what has finished is neither killed nor restarted", () => {
  const { el } = show([device("client 0", { state: "finished" })]);
  expect(["Kill client 0", "Restart client 0"].map((words) => verb(el, words).disabled)).toEqual([true, true]);
});

test("a device at work is killed only after a second word", () => {
  const { model, el } = show([device("client 0")]);
  verb(el, "Kill client 0").click();
  expect(model.sent).toEqual([]);
  button(el, "Leave it").click();
  verb(el, "Kill client 0").click();
  button(el, "Yes, do it").click();
  expect(last(model)).toEqual({ type: "kill", name: "client 0" });
  vi.advanceTimersByTime(PATIENCE);
  expect(el.querySelector(".sl-silent").hidden).toBe(false);
});

test("log and traceback are one click away", () => {
  const { el } = show([device("client 0", { state: "failed", error: "broke\nTraceback" })]);
  const details = at(el, "client 0").querySelector(".sl-details");
  expect(details.hidden).toBe(true);
  verb(el, "Details of client 0").click();
  expect(details.hidden).toBe(false);
  expect(details.textContent).toContain("one\ntwo");
  expect(details.textContent).toContain("broke\nTraceback");
  expect(verb(el, "Details of client 0").getAttribute("aria-expanded")).toBe("true");
});

test("a console can be opened in JupyterLab only, once Python answered", () => {
  document.body.className = "jp-LabShell"; // so has Voila
  expect(verb(show([device("client 0")]).el, "Console client 0")).toBe(null);
  document.body.id = "jp-main-dock-panel";
  const { model, el } = show([device("client 0")]);
  const opened = [];
  const open = ({ detail }) => opened.push(detail);
  window.addEventListener("splitlab:console", open);
  verb(el, "Console client 0").click();
  expect(last(model)).toEqual({ type: "console", name: "client 0" });
  expect(opened).toEqual([]);
  model.hear({ type: "console", name: "client 0", connection: "abc", problem: "" });
  expect(opened).toEqual([{ name: "client 0", connection: "abc" }]);
  model.hear({ type: "console", name: "client 0", connection: "", problem: "a thread has no console" });
  expect(opened.length).toBe(1);
  expect(at(el, "client 0").querySelector("[role=alert]").textContent).toBe("a thread has no console");
  window.removeEventListener("splitlab:console", open);
});

test("of a recorded run there is nothing to kill", () => {
  expect(verb(show([device("client 0")], { recorded: true }).el, "Kill client 0").hidden).toBe(true);
});

test("a view that ends leaves nothing behind", () => {
  const { model, view } = show([device("client 0")]);
  view.end();
  expect(model.listening()).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("how long ago is said in the largest unit", () => {
  expect([0, 5, 150, 7300, 200_000].map(ago)).toEqual(["now", "5 s ago", "2 min ago", "2 h ago", "2 days ago"]);
});
