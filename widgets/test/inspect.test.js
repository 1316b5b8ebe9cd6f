import { afterEach, beforeEach, expect, test, vi } from "vitest";
import inspect from "../src/inspect.js";
import { fakeModel, fakeView } from "./model.js";

const TRAITS = { model: "", name: "LeNet", notice: "", selected: "", available: "" };
let seen;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = `<script id="jupyter-config-data" type="application/json">{"baseUrl": "/user/bob/"}</script>`;
  globalThis.fetch = vi.fn(async () => ({ ok: true, json: async () => ({ splitlab: "0.1.0" }) }));
  globalThis.IntersectionObserver = class {
    constructor(callback) {
      seen = () => callback([{ isIntersecting: true }]);
    }
    observe() {}
    disconnect() {}
  };
});
afterEach(() => vi.useRealTimers());

async function shown(traits = {}) {
  const model = fakeModel({ ...TRAITS, ...traits });
  const view = fakeView(model);
  inspect.render(view);
  await vi.advanceTimersByTimeAsync(0);
  return { model, view, say: () => view.el.querySelector("[role=status]").textContent };
}

/** Netron as it stands in its frame: a view with a target. */
function netron(frame, ...names) {
  const listeners = [];
  const nodes = names.map((name) => ({ name: name.replace(".", "_"), metadata: [{ name: "stack_trace", value: name }] }));
  const target = {
    selection: new Set(),
    _table: new Map(nodes.map((node) => [node, { value: node }])),
    scrolled: [],
    on: (event, callback) => event === "selectionchange" && listeners.push(callback),
    off: (event, callback) => listeners.splice(listeners.indexOf(callback), 1),
    select(values) {
      target.selection = new Set((values ?? []).map((value) => target._table.get(value)));
      listeners.forEach((callback) => callback(target));
      return values;
    },
    scrollTo: (values) => target.scrolled.push(values[0].name),
    listeners,
    nodes,
  };
  frame.contentWindow.__view__ = { target };
  return target;
}

test("nothing is asked for until somebody looks, and then once", async () => {
  const { model } = await shown();
  expect(fetch).toHaveBeenCalledWith("http://localhost:3000/user/bob/splitlab/doctor?format=json", expect.anything());
  expect(model.sent).toEqual([]);
  seen();
  expect(model.sent).toEqual([{ type: "open" }]);
  model.change("name", "other");
  expect(model.sent).toHaveLength(1);
  expect(model.saved).toEqual([{ available: "yes" }]);
});

test("where the server has no Netron, one sentence says so and nothing is asked for", async () => {
  globalThis.fetch = vi.fn(async () => ({ ok: false }));
  const { model, view, say } = await shown();
  seen();
  expect(say()).toMatch(/^Netron is not shown here: /);
  expect([model.sent, model.saved]).toEqual([[], [{ available: "no" }]]);
  expect(view.el.querySelector(".sl-room").hidden).toBe(true);
});

test("where there is no Jupyter server at all, it is the same", async () => {
  document.body.innerHTML = "";
  const { say, model } = await shown();
  expect(say()).toMatch(/^Netron is not shown here: /);
  expect(model.get("available")).toBe("no");
  expect(fetch).not.toHaveBeenCalled();
});

test("the network stands in a frame with a title, and can be opened in a tab of its own", async () => {
  const { model, view, say } = await shown();
  seen();
  expect(say()).toBe("Preparing the network…");
  model.change("model", "abc");
  const frame = view.el.querySelector("iframe");
  expect(frame.src).toBe("http://localhost:3000/user/bob/splitlab/netron/abc/");
  expect(frame.title).toContain("LeNet");
  expect(view.el.querySelector("a").href).toBe(frame.src);
  expect(view.el.querySelector("a").hidden).toBe(false);
  expect(say()).toBe("Netron is reading the network…");
  netron(frame, "conv1");
  vi.advanceTimersByTime(200);
  expect(say()).toMatch(/^Every operation/);
});

test("a network that cannot be exported is a sentence, and is not asked for again and again", async () => {
  const { model, say } = await shown();
  seen();
  model.change("notice", "PyTorch cannot export this network");
  model.change("name", "LeNet");
  expect(say()).toBe("PyTorch cannot export this network");
  expect(model.sent).toHaveLength(1);
});

test("what is selected in Netron is selected here, under the name of its operation", async () => {
  const { model, view } = await shown();
  seen();
  model.change("model", "abc");
  const target = netron(view.el.querySelector("iframe"), "layer1.0.attention", "conv1");
  vi.advanceTimersByTime(200);
  target.select([target.nodes[0]]);
  expect(model.get("selected")).toBe("layer1.0.attention");
  target.select(null);
  expect(model.get("selected")).toBe("layer1.0.attention");
  expect(model.saved.at(-1)).toEqual({ selected: "layer1.0.attention" });
});

test("what is selected here is selected in Netron and scrolled to, without an echo", async () => {
  const { model, view } = await shown({ selected: "conv1" });
  seen();
  model.change("model", "abc");
  const target = netron(view.el.querySelector("iframe"), "conv1", "fc.1", "fc.1");
  vi.advanceTimersByTime(200);
  expect([...target.selection][0].value.name).toBe("conv1");
  model.change("selected", "fc.1");
  expect([...target.selection][0].value).toBe(target.nodes[2]); // the last of those that an operation became
  model.change("selected", "not in PyTorch's graph");
  expect(target.scrolled).toEqual(["conv1", "fc_1"]);
  expect(model.saved).toEqual([{ available: "yes" }]);
});

test("a Netron that looks otherwise still shows the network", async () => {
  const { model, view, say } = await shown({ selected: "conv1" });
  seen();
  model.change("model", "abc");
  view.el.querySelector("iframe").contentWindow.__view__ = { target: { selection: 3 } };
  vi.advanceTimersByTime(200);
  model.change("selected", "fc1");
  expect(say()).toMatch(/^Every operation/);
});

test("a Netron that never answers is told", async () => {
  const { model, say } = await shown();
  seen();
  model.change("model", "abc");
  vi.advanceTimersByTime(61_000);
  expect(say()).toMatch(/^Netron does not answer/);
});

test("Netron's own dark rules follow the page, not the system", async () => {
  document.body.dataset.jpThemeLight = "false";
  const { model, view } = await shown();
  seen();
  model.change("model", "abc");
  const frame = view.el.querySelector("iframe");
  const rule = { media: { mediaText: "(prefers-color-scheme: dark)" } };
  const other = { media: { mediaText: "print" } };
  Object.defineProperty(frame.contentWindow.document, "styleSheets", { value: [{ cssRules: [rule, other, {}] }] });
  vi.advanceTimersByTime(200);
  expect([rule.media.mediaText, other.media.mediaText]).toEqual(["all", "print"]);
  document.body.dataset.jpThemeLight = "true";
  await vi.advanceTimersByTimeAsync(200);
  expect(rule.media.mediaText).toBe("not all");
  delete document.body.dataset.jpThemeLight;
});

test("another network takes the place of the one before, and is asked for if it is not there", async () => {
  const { model, view } = await shown();
  seen();
  model.change("model", "abc");
  const target = netron(view.el.querySelector("iframe"), "conv1");
  vi.advanceTimersByTime(200);
  model.change("model", "");
  expect(view.el.querySelector("iframe")).toBe(null);
  expect([target.listeners.length, model.sent.length]).toEqual([0, 2]);
  model.change("model", "def");
  expect(view.el.querySelector("iframe").src).toContain("/def/");
});

test("a view that is gone leaves nothing behind, and a second view works", async () => {
  const { model, view } = await shown({ model: "abc" });
  seen();
  const target = netron(view.el.querySelector("iframe"), "conv1");
  vi.advanceTimersByTime(200);
  view.end();
  expect([model.listening(), vi.getTimerCount(), target.listeners.length]).toEqual([0, 0, 0]);
  const again = fakeView(model);
  inspect.render(again);
  await vi.advanceTimersByTimeAsync(0);
  seen();
  expect(again.el.querySelector("iframe").src).toContain("/abc/");
});
