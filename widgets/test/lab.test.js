import { afterEach, expect, test, vi } from "vitest";
import { COMMANDS, FIRST, pythonKernel } from "../src/commands.js";

const run = (id, desk, args = {}) => COMMANDS.find((command) => command.id === id).run(desk, args);

/** JupyterLab, as far as commands see it: what was executed is kept, and each command has its answer. */
function desk({ answers = {}, path = "notebooks/a b.ipynb" } = {}) {
  const executed = [];
  const execute = async (id, args) => (executed.push([id, args]), answers[id]);
  const ask = vi.fn(async () => ({ path, kernel_id: "k1" }));
  return { executed, commands: { execute }, ask, base: "http://h/user/bob/", kernel: async () => "python3" };
}

afterEach(() => vi.unstubAllGlobals());

test("the commands are called as people look for them, and three have a card", () => {
  expect(COMMANDS.filter(({ card }) => card).map(({ label, card }) => [label, card])).toEqual([
    ["Split learning: new lab", "New lab"],
    ["Split learning: open tutorial", "Tutorial"],
    ["Split learning: open dashboard", "Dashboard"],
  ]);
  expect(COMMANDS.every(({ caption }) => caption.length > 20)).toBe(true);
});

test("a new lab is a notebook whose first cell is run once its kernel is there", async () => {
  let kernelIsReady;
  const setSource = vi.fn();
  const panel = {
    context: { ready: Promise.resolve() },
    sessionContext: { ready: new Promise((resolve) => (kernelIsReady = resolve)) },
    content: { activeCell: { model: { sharedModel: { setSource } } } },
  };
  const at = desk({ answers: { "notebook:create-new": panel } });
  const done = run("splitlab:lab", at, { cwd: "mine" });
  await vi.waitFor(() => expect(setSource).toHaveBeenCalledWith(FIRST));
  expect(at.executed).toEqual([["notebook:create-new", { cwd: "mine", kernelName: "python3" }]]);
  kernelIsReady();
  await done;
  expect(at.executed.at(-1)[0]).toBe("notebook:run-cell");
  expect(FIRST).toContain('sl.Lab("lenet", "digits")');
});

test("the tutorial opens where the server has put it", async () => {
  const at = desk();
  await run("splitlab:tutorial", at);
  expect(at.ask).toHaveBeenCalledWith("splitlab/open/tutorial");
  expect(at.executed).toEqual([["docmanager:open", { path: "notebooks/a b.ipynb" }]]);
});

test("the dashboard opens in a tab of its own, in Voila, under the server's address", async () => {
  const tab = { location: {}, close: vi.fn() };
  vi.stubGlobal("open", () => tab);
  await run("splitlab:dashboard", desk());
  expect(tab.location.href).toBe("http://h/user/bob/voila/render/notebooks/a%20b.ipynb");
  expect(tab.close).not.toHaveBeenCalled();
});

test("a dashboard that the server does not have leaves no empty tab", async () => {
  const tab = { location: {}, close: vi.fn() };
  vi.stubGlobal("open", () => tab);
  const at = desk();
  at.ask.mockRejectedValue(new Error("no such notebook"));
  await expect(run("splitlab:dashboard", at)).rejects.toThrow("no such notebook");
  expect(tab.close).toHaveBeenCalledOnce();
});

test("where the browser opens no tab, the address is told", async () => {
  vi.stubGlobal("open", () => null);
  await expect(run("splitlab:dashboard", desk())).rejects.toThrow("/user/bob/voila/render/notebooks/a%20b.ipynb");
});

test("a console opens on the kernel of a device, not on a new one", async () => {
  const at = desk();
  await run("splitlab:console", at, { connection: "abc", name: "client 0" });
  expect(at.ask).toHaveBeenCalledWith("splitlab/kernels", { id: "abc" });
  expect(at.executed).toEqual([
    ["console:create", { name: "client 0", kernelPreference: { id: "k1" }, activate: true }],
  ]);
});

test("a new notebook gets Python, even where the server's default is another language", () => {
  const kernelspecs = { ir: { language: "R" }, python3: { language: "python" } };
  expect(pythonKernel({ default: "python3", kernelspecs })).toBe("python3");
  expect(pythonKernel({ default: "ir", kernelspecs })).toBe("python3");
  expect(pythonKernel({ default: "ir", kernelspecs: { ir: { language: "R" } } })).toBe(undefined);
});
