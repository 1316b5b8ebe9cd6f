/** Whatever a widget is dressed in: its theme, and the keys that it keeps to itself. */

import { expect, test } from "vitest";
import { h } from "../src/dom.js";
import { dress } from "../src/theme.js";
import { fakeModel, fakeView } from "./model.js";

test("JupyterLab's keys are kept from the widget, and from whatever in it has the focus", () => {
  const view = fakeView(fakeModel());
  dress(view, "test");
  const [button, other] = [h("button"), h("button")];
  view.el.append(h("p", {}, button), other);
  const keeps = (key, ctrlKey = false) => {
    button.dispatchEvent(new KeyboardEvent("keydown", { key, ctrlKey, bubbles: true }));
    return [view.el, button, other].map((one) => one.dataset.lmSuppressShortcuts === "true");
  };
  expect(keeps("b")).toEqual([true, true, false]);
  expect(keeps("s", true)).toEqual([false, false, false]); // Ctrl+S saves the notebook
  expect(keeps("Enter", true)).toEqual([true, true, false]); // Ctrl+Enter would run the cell again, and end the run
  view.end();
});

test("it follows JupyterLab's theme until the view is gone", async () => {
  document.body.dataset.jpThemeLight = "true";
  const view = fakeView(fakeModel());
  const told = [];
  dress(view, "test", "", (dark) => told.push(dark));
  document.body.dataset.jpThemeLight = "false";
  await new Promise((done) => setTimeout(done));
  expect([view.el.dataset.theme, told.at(-1)]).toEqual(["dark", true]);
  view.end();
  document.body.dataset.jpThemeLight = "true";
  await new Promise((done) => setTimeout(done));
  expect(told.at(-1)).toBe(true);
  delete document.body.dataset.jpThemeLight;
});
