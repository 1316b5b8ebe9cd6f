import { afterEach, beforeEach, expect, test, vi } from "vitest";
import text from "../src/loader.js?raw";
import { fakeModel, fakeView } from "./model.js";

const SOURCE = text
  .replace("export default", "return")
  .replaceAll("import(", "load(")
  .replaceAll("@FILE@", "probe.0123.js")
  .replaceAll("@VERSION@", "2.0");

const probe = { default: { render: ({ model, el }) => el.append(`probe of ${model.get("cut")}`) } };
const missing = () => Promise.reject(new TypeError("Failed to fetch dynamically imported module"));
const loader = (load) => new Function("load", SOURCE)(load);

/** A page as JupyterLab and Voila make it. */
function jupyter() {
  document.head.innerHTML = '<script id="jupyter-config-data" type="application/json"></script>';
  const config = { fullLabextensionsUrl: "/user/bob/lab/extensions" };
  document.getElementById("jupyter-config-data").textContent = JSON.stringify(config);
}

beforeEach(() => {
  URL.createObjectURL = () => "blob:probe";
  URL.revokeObjectURL = vi.fn();
});

afterEach(() => {
  globalThis.splitlabBundles.clear();
  document.head.innerHTML = document.body.innerHTML = "";
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("the bundle comes from Jupyter's own server, under any address, and the kernel is not asked", async () => {
  jupyter();
  const load = vi.fn(async () => probe);
  const model = fakeModel({ cut: "pool1" });
  const view = fakeView(model);
  await loader(load).render(view);
  const address = `${location.origin}/user/bob/lab/extensions/splitlab/static/widgets/probe.0123.js`;
  expect(load.mock.calls).toEqual([[address]]);
  expect(view.el.textContent).toBe("probe of pool1");
  expect(model.sent).toEqual([]);
});

test("where Jupyter serves nothing, the kernel sends the bundle, once for all views", async () => {
  const model = fakeModel({ cut: "pool1" });
  const views = [fakeView(model), fakeView(model)];
  const one = loader(async () => probe);
  const rendered = views.map((view) => one.render(view));
  await Promise.resolve();
  model.hear({ type: "status" });
  model.hear({ type: "bundle" }, [new DataView(new ArrayBuffer(4))]);
  await Promise.all(rendered);
  expect(model.sent).toEqual([{ type: "bundle" }]);
  expect(views.map(({ el }) => el.textContent)).toEqual(["probe of pool1", "probe of pool1"]);
  expect(model.listening()).toBe(0);
  expect(URL.revokeObjectURL).toHaveBeenCalledOnce();
});

test.each([
  [{ ok: true, json: async () => ({ version: "1.0" }) }, /server has splitlab 1\.0, the kernel has 2\.0.*same version/],
  [{ ok: false }, /server has no splitlab, the kernel has 2\.0/],
  [{ ok: true, json: async () => ({ version: "2.0" }) }, /was changed.*reload the page/],
])("a server whose files are not the kernel's is told, and the widget works", async (answer, expected) => {
  jupyter();
  vi.stubGlobal("fetch", async () => answer);
  const model = fakeModel({ cut: "pool1" });
  const view = fakeView(model);
  const rendered = loader((url) => (url.startsWith("blob:") ? Promise.resolve(probe) : missing())).render(view);
  await vi.waitFor(() => expect(model.sent).toEqual([{ type: "bundle" }]));
  model.hear({ type: "bundle" }, [new DataView(new ArrayBuffer(4))]);
  await rendered;
  expect(view.el.querySelector("[role=status]").textContent).toMatch(expected);
  expect(view.el.textContent).toContain("probe of pool1");
});

test("a kernel that does not answer is told, and asked again by the next view", async () => {
  vi.useFakeTimers();
  const model = fakeModel();
  const [first, second] = [fakeView(model), fakeView(model)];
  const one = loader(missing);
  const rendered = one.render(first);
  await vi.advanceTimersByTimeAsync(20_000);
  await rendered;
  expect(first.el.textContent).toMatch(/kernel did not send this widget/);
  expect(model.listening()).toBe(0);
  one.render(second);
  await vi.advanceTimersByTimeAsync(1);
  expect(model.sent).toHaveLength(2);
});

test("a view that is gone before the bundle comes stays empty", async () => {
  jupyter();
  const view = fakeView(fakeModel());
  const rendered = loader(async () => probe).render(view);
  view.end();
  await rendered;
  expect(view.el.textContent).toBe("");
});
