import { afterEach, expect, test } from "vitest";
import picker from "../src/cut_picker.js";
import { chain, residual, traits } from "./drawings.js";
import { fakeModel, fakeView } from "./model.js";

const views = [];
const soon = () => new Promise((done) => setTimeout(done));
const plain = (text) => text.replaceAll("\u202f", " ");

function show(graph = chain(), more = {}) {
  const model = fakeModel(traits(graph, more));
  return { model, ...open(model) };
}

function open(model) {
  const view = fakeView(model);
  picker.render(view);
  views.push(view);
  const all = (selector) => [...view.el.querySelectorAll(selector)];
  const rowOf = (name) => all(".sl-row").find((row) => row.getAttribute("aria-label").match(new RegExp(`after ${name}:`)));
  const stage = view.el.querySelector(".sl-stage");
  const press = (key, more = {}) => stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const click = (element, more = {}) => element.dispatchEvent(new MouseEvent("click", { bubbles: true, ...more }));
  const said = () => plain(view.el.querySelector(".sl-readout").textContent);
  const button = (text) => all("button").find((one) => one.textContent === text);
  return { view, all, rowOf, stage, press, click, said, button, live: () => plain(view.el.querySelector("[aria-live]").textContent) };
}

afterEach(() => views.splice(0).forEach((view) => view.end()));

test("the graph shows each operation with kind, parameters and shape, and each edge with its bytes", () => {
  const { all } = show();
  const box = plain(all(".sl-box")[1].textContent);
  for (const word of ["Conv 5×5", "conv1", "416 parameters", "1024"]) expect(box).toContain(word);
  expect(all(".sl-edge").map((edge) => plain(edge.textContent))).toContain("pool1: 1.02 kB per sample as float32");
  expect(all(".sl-graph")[0].getAttribute("aria-label")).toBe("Chain: 6 operations one below the other, 4 places to cut");
});

test("a click on a box, between boxes or in the strip cuts there", () => {
  const { model, all, click, rowOf } = show();
  click(all(".sl-box")[1]);
  expect(model.state.cut).toBe("conv1");
  click(all(".sl-slot")[1]);
  expect(model.state.cut).toBe("relu1");
  click(rowOf("fc1").querySelector("text"));
  expect(model.state.cut).toBe("fc1");
  expect(model.saved.at(-1)).toEqual({ cut: "fc1", selected: "fc1" });
});

test("each side has its name and its boxes, and the cut has its bytes", () => {
  const { all } = show(chain(), { u_shaped: true, tail: "fc1" });
  expect(all(".sl-region").map((region) => region.textContent)).toEqual(["On the client: head", "On the server: body", "On the client: tail"]);
  expect(all(".sl-box").map((box) => box.dataset.side)).toEqual(["head", "head", "head", "head", "body", "tail", "tail", "tail"]);
  expect(all(".sl-tag").map((tag) => plain(tag.textContent))).toEqual(["cut: 1.02 kB", "tail: 512 B"]);
});

test("a cut that is not legal stays as it is and says why, on a click and under the pointer", async () => {
  const { model, rowOf, click, said } = show();
  const row = rowOf("pick");
  expect(row.getAttribute("aria-disabled")).toBe("true");
  row.dispatchEvent(new MouseEvent("pointermove", { bubbles: true }));
  expect(said()).toContain("No cut after pick: 'pick' would cross, and it is no tensor.");
  click(row);
  await soon();
  expect(model.state.cut).toBe("pool1");
  expect(said()).toContain("it is no tensor");
});

test("arrow keys go from one legal cut to the next, with shift to every cut, and Enter cuts", async () => {
  const { model, press, stage, said, view } = show();
  press("ArrowDown");
  const active = () => view.el.querySelector(`#${stage.getAttribute("aria-activedescendant")}`).getAttribute("aria-label");
  expect(active()).toContain("Cut after fc1");
  press("ArrowDown");
  expect(active()).toContain("fc1"); // what follows is not legal
  press("ArrowDown", { shiftKey: true });
  expect(said()).toContain("No cut after pick");
  press("Home");
  press("Enter");
  await soon();
  expect(model.state.cut).toBe("conv1");
});

test("keys that the picker knows do not reach the notebook, others do", () => {
  const { view, press } = show();
  const heard = [];
  view.el.addEventListener("keydown", (event) => heard.push(event.key));
  press("ArrowDown");
  press("t");
  press("b");
  press("0", { ctrlKey: true });
  expect(heard).toEqual(["b", "0"]);
});

test("T sets where the tail begins and makes the split U-shaped, but not before the cut", async () => {
  const { model, press, said } = show();
  press("Home");
  press("t");
  await soon();
  expect(model.state.tail).toBe(null);
  expect(said()).toContain("it must come later");
  press("End");
  press("t");
  await soon();
  expect([model.state.u_shaped, model.state.tail]).toEqual([true, "fc1"]);
});

test("with the U-shape on, the second click sets the tail's cut", async () => {
  const { model, all, click, rowOf } = show();
  const toggle = all(".sl-switch input")[0];
  toggle.checked = true;
  toggle.dispatchEvent(new Event("change"));
  await soon();
  expect(model.state.u_shaped).toBe(true);
  model.change("tail", "fc1");
  model.change("tail_costs", { fc1: { up: 1, down: 1, seconds: null, parts: {} } });
  await soon();
  const target = all(".sl-target")[0];
  target.value = "cut";
  target.dispatchEvent(new Event("change"));
  click(rowOf("conv1"));
  await soon();
  expect(target.value).toBe("tail");
  model.change("tails", { ...model.state.tails, relu1: "" });
  await soon();
  click(rowOf("relu1"));
  await soon();
  expect([model.state.cut, model.state.tail, target.value]).toEqual(["conv1", "relu1", "cut"]);
});

test("the strip has a row for every cut, and marks the best by bytes and by time", () => {
  const { all, rowOf } = show();
  expect(all(".sl-row").length).toBe(6);
  const texts = [...rowOf("pool1").querySelectorAll("text")].map((one) => plain(one.textContent));
  expect(texts).toEqual(["2.05 kB", "1 ms ★", "25.6 k", "416"]);
  expect(rowOf("fc1").getAttribute("aria-label")).toContain("Fewest bytes.");
  expect(all(".sl-best-button").map((one) => plain(one.textContent))).toEqual(["★ Fewest bytes: fc1 1.02 kB", "★ Fastest: pool1 1 ms"]);
});

test("a button takes the best cut", async () => {
  const { model, all, click } = show();
  click(all(".sl-best-button")[0]);
  expect(model.state.cut).toBe("fc1");
});

test("other costs redraw the strip and not the graph", async () => {
  const { model, all, rowOf } = show();
  const svg = all(".sl-graph")[0];
  model.change("costs", { pool1: { up: 256, down: 256, seconds: null, parts: {} } });
  model.change("codec", "float8_e4m3fn");
  await soon();
  expect(plain(rowOf("pool1").textContent)).toContain("512 B");
  expect(all(".sl-heading")[0].textContent).toContain("float8_e4m3fn");
  expect(all(".sl-graph")[0]).toBe(svg);
});

test("blocks fold and unfold, by click and by key, and a folded one shows the costs inside it", async () => {
  const { all, click, press, rowOf } = show(residual());
  const names = () => all(".sl-box").map((box) => box.dataset.row).length;
  expect([names(), all(".sl-shape").length > 0]).toEqual([6, true]); // input, stem, two blocks, fc, loss
  click(all('[data-block="layer.0@1-3"]')[0]);
  expect(names()).toBe(8);
  press("Home");
  press("ArrowDown");
  press("ArrowLeft");
  expect(names()).toBe(6);
  press("ArrowRight");
  expect(names()).toBe(8);
  click(all("[data-unfold]")[0]);
  expect(names()).toBe(10);
  expect(rowOf("layer.1.norm")).toBeTruthy();
});

test("a block stays unfolded while the cut is inside it, and says so", async () => {
  const { model, all, click, said } = show(residual());
  model.change("cut", "layer.1.conv");
  await soon();
  expect(all(".sl-box").length).toBe(8);
  click(all('[data-block="layer.1@4-6"]')[0]);
  expect(all(".sl-box").length).toBe(8);
  expect(said()).toContain("The cut is inside layer.1");
});

test("while a run goes on nothing can be chosen, and the picker says what to do", async () => {
  const { model, all, click, press, said } = show(chain(), { locked: true });
  expect(said()).toContain("stop it to move the cut");
  click(all(".sl-box")[1]);
  press("Home");
  press("Enter");
  await soon();
  expect([model.state.cut, model.state.selected]).toEqual(["pool1", "conv1"]);
  expect(said()).toContain("Stop the run to move the cut.");
  expect(all(".sl-switch input")[0].disabled).toBe(true);
});

test("what is chosen is said aloud, with notices, and with what was measured", async () => {
  const { model, live } = show();
  expect(live()).toBe("Cut after pool1: 1.02 kB per sample up, 1.02 kB down; client 26 % of the work, 416 parameters; predicted 1 ms per sample.");
  model.change("notice", "relu9 is not in this network: the cut is after pool1 now.");
  model.change("measured", { cut: "pool1", tail: null, seconds: 0.00125, error: -0.2 });
  await soon();
  expect(live()).toContain("relu9 is not in this network");
  expect(live()).toContain("Measured 1.25 ms per sample: the prediction was off by 20 %.");
});

test("the table tells the same to a screen reader", async () => {
  const { all, view } = show();
  view.el.querySelector("details").open = true;
  await soon();
  view.el.querySelector("details").dispatchEvent(new Event("toggle"));
  const line = all("tbody tr")[2];
  expect(line.querySelector("th").textContent).toBe("pool1");
  expect(plain(line.textContent)).toContain("1.02 kB");
  expect(all("tbody tr")[4].textContent).toContain("no: 'pick' would cross");
});

test("the wheel alone leaves the notebook to scroll, with Ctrl it zooms", () => {
  const { stage, all } = show();
  const wheel = (ctrlKey) => {
    const event = new WheelEvent("wheel", { deltaY: -200, ctrlKey, bubbles: true, cancelable: true });
    stage.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const height = () => Number(all(".sl-graph")[0].getAttribute("height"));
  const before = height();
  expect(wheel(false)).toBe(false);
  expect(height()).toBe(before);
  expect(wheel(true)).toBe(true);
  expect(height()).toBeGreaterThan(before);
});

test("another network replaces the graph, also one without any legal cut", async () => {
  const { model, all, said } = show();
  const none = { ...chain(), default_cut: null };
  none.cuts = none.cuts.map((cut) => ({ ...cut, legal: false, reason: "nothing to train" }));
  Object.assign(model.state, traits(none));
  model.change("graph", none);
  await soon();
  expect(all(".sl-row.sl-no").length).toBe(6);
  expect(said()).toContain("No cut is chosen");
});

test("two views of one picker show the same, and each listens only while it lives", async () => {
  const { model, view, click, rowOf } = show();
  const second = open(model);
  click(rowOf("conv1"));
  await soon();
  expect(second.rowOf("conv1").getAttribute("aria-selected")).toBe("true");
  view.end();
  second.view.end();
  expect(model.listening()).toBe(0);
  model.change("cut", "relu1");
  await soon();
  expect(rowOf("conv1").getAttribute("aria-selected")).toBe("true"); // the dead view did not change
});
