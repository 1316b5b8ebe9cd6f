/** The same as a table, for screen readers and for whoever wants the figures. */

import { bytes, count, seconds } from "../format.js";
import { h } from "../dom.js";

const FIGURES = ["Bytes up", "Bytes down", "Client's multiply-adds", "Client's parameters", "Predicted time"];
const HEADS = ["Cut after", ...FIGURES, "Can be chosen"];

/**
 * A table in a `details`, made when it is opened.
 * @param {() => ReturnType<import("./choice.js").choiceOf>} now
 */
export function tableOf(now) {
  const home = h("div", { class: "sl-scroll", tabindex: 0, role: "region", "aria-label": "All cuts as a table" });
  const details = h("details", { class: "sl-table" }, h("summary", {}, "All cuts as a table"), home);
  const fill = () => details.open && home.replaceChildren(draw(now()));
  details.addEventListener("toggle", fill);
  return { details, fill };
}

function draw({ offers }) {
  const size = (value) => (Number.isFinite(value) ? bytes(value) : "");
  const time = (value) => (value === null ? "" : seconds(value));
  const may = (reason) => (reason ? `no: ${reason}` : "yes");
  const figures = (one) => [size(one.up), size(one.down), count(one.macs), count(one.params), time(one.seconds)];
  const line = (one) => [...figures(one), may(one.reason)].map((cell) => h("td", {}, cell));
  const body = offers.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name), ...line(one)));
  const heads = HEADS.map((head) => h("th", { scope: "col" }, head));
  return h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...body));
}
