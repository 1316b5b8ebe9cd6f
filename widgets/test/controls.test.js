/** The controls show what Python says, say what the user did, and notice when nobody listens. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import controls from "../src/controls.js";
import { PATIENCE } from "../src/controls/kernel.js";
import { nearest, stops } from "../src/controls/number.js";
import { fakeModel, fakeView } from "./model.js";

const field = (name, more) => ({
  name, label: name, help: `About ${name}.`, group: "how", title: "How", live: false, advanced: false, kind: "text",
  whole: false, optional: false, none: "not set", span: [], ...more,
});
const choice = (value, about = "") => ({ value, label: value, about });
const CODECS = { kind: "choice", choices: ["float32", "int8", "bfloat16"].map((name) => choice(name)), examples: ["topk(0.1)"], segments: ["float32", "int8"] };
const FIELDS = [
  field("codec", { ...CODECS, group: "wire", live: true }),
  field("gradient_codec", { ...CODECS, group: "wire", live: true, optional: true, none: "as activations" }),
  field("link", { kind: "choice", group: "wire", live: true, choices: [choice("none"), choice("4g", "10 up")], examples: ["shape(1, 1)"], segments: [] }),
  field("epochs", { kind: "number", whole: true, span: [1, 50] }),
  field("learning_rate", { kind: "number", optional: true, live: true, span: [0.0001, 1], none: "their own" }),
  field("optimizer", { kind: "text" }),
  field("augment", { kind: "lines", advanced: true, examples: ["Flip"] }),
  field("evaluate", { kind: "switch", advanced: true }),
];
const VALUES = { codec: "float32", gradient_codec: null, link: "none", epochs: 5, learning_rate: null, optimizer: "SGD", augment: [], evaluate: true };

let views = [];
function show(traits = {}) {
  const model = fakeModel({
    fields: FIELDS, values: VALUES, problems: {}, pending: [], locked: {}, state: "idle", status: { state: "idle" },
    state_line: '{"plan": 1}', recorded: false, only: [], at_hand: ["codec", "epochs"], ...traits,
  });
  const view = fakeView(model);
  views.push(view);
  controls.render(view);
  return { model, view, el: view.el };
}
const button = (el, name) => [...el.querySelectorAll("button")].find((one) => one.textContent === name);
const at = (el, name) => el.querySelector(`.sl-form [data-name="${name}"]`);
const near = (el, name) => el.querySelector(`.sl-hand [data-name="${name}"]`);
const enabled = (el) =>
  ["Start", "Pause", "Resume", "Stop", "Reset"].filter((name) => button(el, name).getAttribute("aria-disabled") === "false");
const enter = (input, value, event = "change") => {
  input.value = value;
  input.dispatchEvent(new Event(event, { bubbles: true }));
};
const focused = (element) => document.activeElement === element;
const last = (model) => {
  const { id, ...message } = model.sent.at(-1) ?? {};
  return message;
};

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  views.forEach((view) => view.end());
  views = [];
  vi.useRealTimers();
});

describe("buttons", () => {
  test.each([
    ["idle", ["Start", "Reset"]],
    ["starting", ["Pause", "Stop", "Reset"]],
    ["training", ["Pause", "Stop", "Reset"]],
    ["paused", ["Resume", "Stop", "Reset"]],
    ["stopping", ["Reset"]],
    ["finished", ["Start", "Reset"]],
    ["failed", ["Start", "Reset"]],
    ["resetting", ["Reset"]],
    ["closed", []],
  ])("while %s one can press %j", (state, names) => {
    expect(enabled(show({ state }).el)).toEqual(names);
  });

  test("a press is said once, and not again before it was heard", () => {
    const { model, el } = show();
    button(el, "Start").click();
    button(el, "Start").click();
    expect(model.sent.map(({ type, what }) => [type, what])).toEqual([["press", "start"]]);
    model.hear({ type: "heard", id: model.sent[0].id });
    expect(button(el, "Start").hasAttribute("aria-busy")).toBe(false);
  });

  test("a button that is not enabled says nothing", () => {
    const { model, el } = show();
    button(el, "Pause").click();
    expect(model.sent).toEqual([]);
  });

  test("Reset asks while a run goes on, and only then", () => {
    const { model, el } = show({ state: "training" });
    button(el, "Reset").click();
    expect(model.sent).toEqual([]);
    button(el, "Keep running").click();
    expect(el.querySelector(".sl-question").hidden).toBe(true);
    button(el, "Reset").click();
    button(el, "End it and clear").click();
    expect(last(model)).toEqual({ type: "press", what: "reset" });
    model.change("state", "finished");
    model.hear({ type: "heard", id: model.sent[0].id });
    button(el, "Reset").click();
    expect(model.sent.length).toBe(2);
  });
});

describe("the line to the kernel", () => {
  const silent = (el) => !el.querySelector(".sl-silent").hidden;

  test("without an answer the page says that the kernel is busy or gone, until one comes", () => {
    const { model, el } = show();
    button(el, "Start").click();
    vi.advanceTimersByTime(PATIENCE - 1);
    expect(silent(el)).toBe(false);
    vi.advanceTimersByTime(1);
    expect(silent(el)).toBe(true);
    model.hear({ type: "heard", id: model.sent[0].id });
    expect(silent(el)).toBe(false);
  });

  test("an answer to another view is none to this one", () => {
    const { model, el } = show();
    button(el, "Start").click();
    model.hear({ type: "heard", id: "another-1" });
    vi.advanceTimersByTime(PATIENCE);
    expect(silent(el)).toBe(true);
  });

  test("a closed connection is noticed at once", () => {
    const { model, el } = show();
    model.send = () => {
      throw new Error("closed");
    };
    button(el, "Start").click();
    expect(silent(el)).toBe(true);
  });

  test("a run without news is asked for, a quiet lab is left alone", () => {
    const { model } = show({ state: "training" });
    vi.advanceTimersByTime(9000);
    model.change("status", { state: "training", step: 2 });
    vi.advanceTimersByTime(9000);
    expect(model.sent).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(last(model)).toEqual({ type: "hello" });
    const quiet = show().model;
    vi.advanceTimersByTime(60_000);
    expect(quiet.sent).toEqual([]);
  });
});

describe("where the run stands", () => {
  const status = { state: "training", epoch: 2, epochs: 5, step: 30, steps: 120, seconds_left: 45, accuracy: 0.931, loss: 0.3, seconds: 9 };

  test("state, epoch, step and time left stand in words, and the bar shows the part done", () => {
    const { el } = show({ state: "training", status });
    const text = el.querySelector(".sl-status").textContent;
    for (const part of ["Training", "epoch 2 of 5", "step 30 of 120", "0:45 left", "93.1"]) expect(text).toContain(part);
    expect(el.querySelector("[role=progressbar]").getAttribute("aria-valuenow")).toBe("25");
  });

  test("a screen reader hears a new epoch, but not every step", () => {
    const { model, el } = show({ state: "training", status });
    const voice = el.querySelector(".sl-standing [aria-live]");
    const before = voice.textContent;
    model.change("status", { ...status, step: 31, loss: 0.2 });
    expect(voice.textContent).toBe(before);
    model.change("status", { ...status, epoch: 3 });
    expect(voice.textContent).toContain("epoch 3 of 5");
  });

  test("the last error is one sentence, and its traceback can be copied where the page may not write", async () => {
    const { el } = show({ state: "failed", status: { state: "failed", error: "it broke\nbadly", traceback: "File x\nit broke" } });
    expect(el.querySelector(".sl-error .sl-bad").textContent).toBe("it broke");
    button(el, "Copy traceback").click();
    await vi.advanceTimersByTimeAsync(0);
    expect(el.querySelector(".sl-copying textarea").value).toBe("File x\nit broke");
  });

  test("where the page may, it is on the clipboard", async () => {
    const writeText = vi.fn();
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const { el } = show();
    button(el, "Copy state").click();
    await vi.advanceTimersByTimeAsync(0);
    expect(writeText).toHaveBeenCalledWith('{"plan": 1}');
    expect(el.querySelector(".sl-tools textarea")).toBe(null);
    vi.unstubAllGlobals();
  });
});

describe("settings", () => {
  test("every field appears under its group, with label and help, live ones marked, the rest folded", () => {
    const { el } = show();
    expect([...el.querySelectorAll("legend")].map((one) => one.textContent)).toEqual(["How", "How"]);
    expect(el.querySelectorAll(".sl-all .sl-field").length).toBe(FIELDS.length);
    expect(el.querySelector(".sl-all").open).toBe(false);
    expect(at(el, "epochs").textContent).toContain("About epochs.");
    expect([...el.querySelectorAll(".sl-all .sl-live")].length).toBe(4);
    expect([...el.querySelectorAll("details.sl-more .sl-field")].map((one) => one.dataset.name)).toEqual(["augment", "evaluate"]);
  });

  test("every control has a name and points to its help", () => {
    const { el } = show();
    for (const input of el.querySelectorAll(".sl-field input, .sl-field select, .sl-field textarea")) {
      const named = input.closest("label") || input.getAttribute("aria-label") || el.querySelector(`label[for="${input.id}"]`);
      expect(named, input.outerHTML).toBeTruthy();
      expect(el.querySelector(`#${input.getAttribute("aria-describedby").split(" ")[0]}`)).not.toBe(null);
    }
  });

  test("a slider is followed by its number, and sends when it is let go", () => {
    const { model, el } = show();
    const [slider, box] = at(el, "epochs").querySelectorAll("input");
    enter(slider, "11", "input");
    expect(box.value).toBe("12");
    expect(model.sent).toEqual([]);
    enter(slider, "11");
    expect(last(model)).toEqual({ type: "set", name: "epochs", value: 12 });
  });

  test("a number that is left out is none", () => {
    const { model, el } = show({ values: { ...VALUES, learning_rate: 0.05 } });
    const box = at(el, "learning_rate").querySelector("[type=number]");
    expect(box.value).toBe("0.05");
    enter(box, "");
    expect(last(model)).toEqual({ type: "set", name: "learning_rate", value: null });
  });

  test("Enter takes a number that was written, where JupyterLab keeps it from the browser too", () => {
    const { model, el } = show();
    const box = near(el, "epochs").querySelector("input");
    const press = () => box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    box.focus();
    press();
    expect(model.sent).toEqual([]);
    box.value = "8";
    press();
    expect(last(model)).toEqual({ type: "set", name: "epochs", value: 8 });
  });

  test("arrow keys change a learning rate by ratio", () => {
    const { el } = show({ values: { ...VALUES, learning_rate: 0.05 } });
    const box = at(el, "learning_rate").querySelector("[type=number]");
    box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp" }));
    expect(box.value).toBe("0.1");
  });

  test.each([["at hand", near], ["in the form", at]])("%s, a usual codec is one click, any other two, and any text can be written", (_, of) => {
    const { model, el } = show();
    const radios = [...of(el, "codec").querySelectorAll("[type=radio]")];
    expect(radios.map(({ value }) => value)).toEqual(["float32", "int8"]);
    radios[1].click();
    expect(last(model)).toEqual({ type: "set", name: "codec", value: "int8" });
    const menu = of(el, "codec").querySelector("select");
    enter(menu, "bfloat16");
    expect(last(model).value).toBe("bfloat16");
    enter(menu, "other…");
    const own = of(el, "codec").querySelector("[type=text]");
    expect([own.hidden, menu.hidden, focused(own)]).toEqual([false, true, true]);
    enter(own, " topk(0.3) ");
    expect(last(model).value).toBe("topk(0.3)");
    own.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    expect([own.hidden, menu.hidden, focused(menu)]).toEqual([true, false, true]);
  });

  test("own words can be given up, and what was written before can be mended", () => {
    const { el } = show({ values: { ...VALUES, codec: "topk(0.05)" } });
    const [menu, own] = ["select", "[type=text]"].map((what) => near(el, "codec").querySelector(what));
    enter(menu, "other…");
    expect(own.value).toBe("topk(0.05)");
    own.value = "topk(";
    own.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect([menu.value, own.hidden, own.value]).toEqual(["topk(0.05)", true, "topk(0.05)"]);
  });

  test("what Python says is shown, listed or not", () => {
    const { model, el } = show();
    model.change("values", { ...VALUES, codec: "topk(0.05)", gradient_codec: "int8", link: "4g", augment: ["a", "b"], evaluate: false });
    for (const of of [at, near]) expect(of(el, "codec").querySelector("select").value).toBe("topk(0.05)");
    expect(at(el, "codec").querySelector(":checked:not(option)")).toBe(null);
    expect(at(el, "gradient_codec").querySelector(":checked").value).toBe("int8");
    expect(at(el, "link").querySelector("select").value).toBe("4g");
    expect(at(el, "link").textContent).toContain("10 up.");
    expect(at(el, "augment").querySelector("textarea").value).toBe("a\nb");
    expect(at(el, "evaluate").querySelector("input").checked).toBe(false);
    model.change("values", VALUES);
    for (const of of [at, near]) expect(of(el, "codec").querySelector(":checked:not(option)").value).toBe("float32");
    expect([...at(el, "codec").querySelectorAll("option")].some((one) => one.value === "topk(0.05)")).toBe(false);
    expect(at(el, "gradient_codec").querySelector(":checked").value).toBe("");
  });

  test("a value that no list knows is shown once", () => {
    const closed = field("sharing", { kind: "choice", choices: [choice("none")], examples: [], segments: [] });
    const { model, el } = show({ fields: [closed], values: { sharing: "relay" } });
    for (const sharing of ["none", "relay"]) model.change("values", { sharing });
    const options = [...at(el, "sharing").querySelectorAll("option")].map((option) => option.value);
    expect([options, at(el, "sharing").querySelector("select").value]).toEqual([["relay", "none"], "relay"]);
  });

  test("nothing of an optional codec is said as null", () => {
    const { model, el } = show({ values: { ...VALUES, gradient_codec: "int8" } });
    at(el, "gradient_codec").querySelector("[type=radio]").click();
    expect(last(model)).toEqual({ type: "set", name: "gradient_codec", value: null });
  });

  test("lines are sent as a list, and examples add one", () => {
    const { model, el } = show();
    enter(at(el, "augment").querySelector("textarea"), "Crop(8)\n\n");
    expect(last(model).value).toEqual(["Crop(8)"]);
    enter(at(el, "augment").querySelector("select"), "Flip");
    expect(last(model).value).toEqual(["Crop(8)", "Flip"]);
  });

  test("a wrong value stays in its field with the reason beside it, in a second view too", () => {
    const problems = { augment: { text: "no such transform", value: ["Crp"] } };
    const { model, el } = show();
    model.change("problems", problems);
    const second = show({ problems }).el;
    for (const one of [el, second]) {
      expect(at(one, "augment").querySelector("[role=alert]").textContent).toBe("no such transform");
      expect(at(one, "augment").querySelector("textarea").value).toBe("Crp");
      expect(at(one, "augment").querySelector("textarea").getAttribute("aria-invalid")).toBe("true");
      expect([...one.querySelectorAll(".sl-all, .sl-more")].map(({ open }) => open)).toEqual([true, true]);
    }
    el.querySelector(".sl-all").open = false;
    model.change("values", { ...VALUES, epochs: 9 });
    expect(el.querySelector(".sl-all").open).toBe(false);
    model.change("problems", {});
    expect(at(el, "augment").querySelector("textarea").value).toBe("");
    expect(at(el, "augment").querySelector("[role=alert]").hidden).toBe(true);
  });

  test("half a word is not overwritten while it is being written; Escape gives it up", () => {
    const { model, el } = show();
    const box = at(el, "optimizer").querySelector("input");
    box.focus();
    box.value = "Ada";
    model.change("values", { ...VALUES, optimizer: "AdamW" });
    expect(box.value).toBe("Ada");
    box.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect(box.value).toBe("AdamW");
  });

  test("what waits for the next start is named while a run goes on, and can be had now", () => {
    const { model, el } = show({ state: "training", pending: ["epochs"] });
    expect(el.querySelector(".sl-pending").textContent).toContain("next start: epochs.");
    expect(at(el, "epochs").querySelector(".sl-next").hidden).toBe(false);
    button(el, "Restart now").click();
    expect(last(model)).toEqual({ type: "press", what: "restart" });
    model.change("state", "finished");
    expect(el.querySelector(".sl-pending").hidden).toBe(true);
  });

  test("a dashboard shows the chosen settings only, in their order, none folded", () => {
    const { model, el } = show({ only: ["evaluate", "codec"] });
    expect([...el.querySelectorAll(".sl-field")].map((one) => one.dataset.name)).toEqual(["evaluate", "codec"]);
    expect(el.querySelector(".sl-all").hidden).toBe(true);
    expect(el.querySelector(".sl-tools").hidden).toBe(true);
    model.change("only", []);
    expect(el.querySelector(".sl-all").hidden).toBe(false);
    expect(el.querySelectorAll(".sl-form .sl-field").length).toBe(FIELDS.length);
  });

  test("the settings at hand are the ones that Python says, slim, with their help to be pointed at or heard", () => {
    const { model, el } = show();
    const names = () => [...el.querySelectorAll(".sl-hand .sl-field")].map((one) => one.dataset.name);
    expect(names()).toEqual(["codec", "epochs"]);
    expect(near(el, "epochs").title).toBe("About epochs.");
    expect([...near(el, "epochs").querySelectorAll("input")].map(({ type }) => type)).toEqual(["number"]);
    enter(near(el, "epochs").querySelector("input"), "7");
    expect(last(model)).toEqual({ type: "set", name: "epochs", value: 7 });
    model.change("at_hand", ["link"]);
    expect(names()).toEqual(["link"]);
  });

  test("a problem at hand is told below the row by name, and opens nothing", () => {
    const { el } = show({ problems: { epochs: { text: "epochs is 0", value: 0 }, codec: { text: "no such", value: "x" } } });
    const alerts = [...el.querySelectorAll(".sl-hand ~ [role=alert]:not([hidden])")];
    expect(alerts.map((one) => one.textContent)).toEqual(["codec: no such", "epochs is 0"]);
    expect(near(el, "epochs").querySelector("input").getAttribute("aria-describedby")).toContain(alerts[1].id);
    expect(el.querySelector(".sl-all").open).toBe(false);
  });

  test("when offers change, whoever works in the form stays where they are", () => {
    const { model, el } = show();
    el.querySelector(".sl-more").open = true;
    near(el, "codec").querySelectorAll("input")[1].focus();
    model.change("fields", [...FIELDS]);
    expect(focused(near(el, "codec").querySelectorAll("input")[1])).toBe(true);
    expect(el.querySelector(".sl-more").open).toBe(true);
  });

  test("a locked setting says why, and a recorded run can only be watched", () => {
    const { el } = show({ locked: { optimizer: "given by you" } });
    expect(at(el, "optimizer").querySelector("input").disabled).toBe(true);
    expect(at(el, "optimizer").textContent).toContain("given by you");
    const recorded = [...show({ recorded: true }).el.querySelectorAll(".sl-settings")];
    expect(recorded.map(({ disabled }) => disabled)).toEqual([true, true]);
  });
});

describe("the state as a line", () => {
  test("a pasted line goes to Python, and its box closes when it was taken", () => {
    const { model, el } = show();
    button(el, "Paste state").click();
    const box = el.querySelector(".sl-paste textarea");
    box.value = " {} ";
    button(el, "Use it").click();
    expect(last(model)).toEqual({ type: "paste", text: "{}" });
    model.change("problems", { paste: { text: "not a plan", value: "{}" } });
    expect(el.querySelector(".sl-paste").textContent).toContain("not a plan");
    expect(box.value).toBe(" {} ");
    model.hear({ type: "pasted" });
    expect(el.querySelector(".sl-paste").hidden).toBe(true);
  });
});

test("a view that ends leaves nothing behind, and can be drawn again", () => {
  const { model, view } = show();
  controls.render(view);
  expect(view.el.querySelectorAll(".sl-bar").length).toBe(1);
  view.end();
  expect(model.listening()).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(model.sent).toEqual([]);
});

test("a slider stops where people would", () => {
  expect(stops([1, 4], true)).toEqual([1, 2, 3, 4]);
  expect(stops([1, 512], true)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  expect(stops([0.01, 1], false)).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
  expect(nearest([0.01, 0.02, 0.05], 0.04)).toBe(2);
});
