/** The stage: graph and cost strip side by side in one scrolling box, level with each other, and what is marked on them. */

import { bytes, count, shape } from "../format.js";
import { h } from "../dom.js";
import { sideOf } from "./choice.js";
import { edgesOf, rowsOf } from "./fold.js";
import { cutLine, cuttable, drawGraph } from "./graph.js";
import { place } from "./layout.js";
import { COLUMN, columnsFor, drawHeading, drawStrip } from "./strip.js";

const FEW = 90; // rows that may all be in the page
const NARROW = 560; // pixels: below, the strip has one column
const GRAPH_ROOM = 330; // what the graph keeps at least where there is room
const RAIL = 22; // pixels beside the graph for the names of the sides, where there is little room
const ROOMY = 160; // and where there is much
const TALLEST = 640;
const FITS = 0.7; // a zoom at which a whole graph is still pleasant to read
const SIDES = {
  head: ["client", "client: head"],
  body: ["server", "server: body"],
  tail: ["client", "client: tail"],
};

let stages = 0;

/**
 * @param {HTMLElement} chooser of the narrow strip's column
 * @returns the element and what can be done with it
 */
export function makeStage(chooser) {
  const mark = `sl-stage-${++stages}`;
  const regions = h("div", { class: "sl-regions", "aria-hidden": "true" });
  const canvas = h("div", { class: "sl-canvas", role: "none" });
  const heading = h("div", { class: "sl-headings", "aria-hidden": "true" });
  const about = { role: "listbox", tabindex: 0, "aria-describedby": `${mark}-help` };
  const element = h("div", { class: "sl-stage", ...about, "aria-label": "Where the network is cut" }, heading, canvas);
  let now = null; // what is drawn: choice, rows, layout, graph, strip
  let seen = null; // what paint was told last
  let lookedAt = 0; // where the stage was scrolled to when we looked
  let zoom = 1;

  /** Draw everything anew: for another network, other folds, other costs. */
  function draw(choice, eye) {
    const cuts = [choice.cut, choice.tail].filter((cut) => cut >= 0);
    const rows = rowsOf(choice.drawing, eye.said, cuts);
    const layout = laidOut(choice.drawing, rows);
    const same = now?.layout === layout; // then the picture of the graph can stay
    const graph = same ? now.graph : drawGraph(choice.drawing, rows, layout, mark);
    now = { choice, rows, layout, graph, ...strip(choice, rows, layout, eye) };
    if (same) canvas.lastElementChild.replaceWith(now.strip.svg);
    else canvas.replaceChildren(regions, graph.svg, now.strip.svg);
    seen = eye;
    resize(zoom);
    paint(eye);
  }

  function strip(choice, rows, layout, eye) {
    const room = width();
    const narrow = room < NARROW;
    const columns = columnsFor(choice.offers, narrow ? COLUMN : room - GRAPH_ROOM, eye.metric);
    const drawn = drawStrip(choice, rows, layout, columns, mark);
    const asked = columns.length < 3 ? chooser : null;
    const about = choice.codec ?? "float32";
    heading.replaceChildren(title(choice.drawing), drawHeading(choice.offers, columns, drawn.width, about, asked));
    return { strip: drawn, columns };
  }

  function title({ model, nodes, input, cuts }) {
    const params = nodes.reduce((sum, node) => sum + node.params, 0);
    const facts = `${nodes.length} operations on ${shape(input.shape)}`;
    const sums = `${count(params)} parameters, ${count(cuts[0].client_macs + cuts[0].server_macs)} multiply-adds`;
    return h("div", { class: "sl-column sl-title" }, h("b", {}, model), h("span", {}, facts), h("span", {}, sums));
  }

  const width = () => element.clientWidth || 900;

  /** Draw the same at another zoom. */
  function resize(next) {
    zoom = next;
    if (!now) return;
    const { layout, graph, strip } = now;
    const free = width() - strip.width - layout.width * zoom;
    const side = free < ROOMY ? RAIL : ROOMY; // for the names of the sides: upright where there is little room
    element.classList.toggle("sl-railed", side === RAIL);
    const room = Math.max(width() - strip.width, layout.width * zoom + side);
    const size = { width: room, height: layout.height * zoom };
    for (const [name, value] of Object.entries(size)) graph.svg.setAttribute(name, value);
    const across = room / zoom;
    graph.svg.setAttribute("viewBox", `${(layout.width - across - side / zoom) / 2} 0 ${across} ${layout.height}`);
    graph.svg.classList.toggle("sl-small", zoom < 0.5);
    strip.resize(zoom);
    canvas.style.height = `${size.height}px`;
    canvas.style.width = `${room + strip.width}px`;
    shade();
    look();
  }

  /** Have in the page what is in sight, and a little more. */
  function look() {
    if (!now) return false;
    const { rows, layout, graph, strip } = now;
    lookedAt = element.scrollTop;
    const tall = element.clientHeight || Infinity;
    const [top, bottom] = [element.scrollTop - tall / 2, element.scrollTop + tall * 1.5].map((y) => y / zoom);
    const inside = (row) => layout.boxes[row.index].cut >= top && layout.boxes[row.index].y <= bottom;
    const all = rows.length <= FEW || tall === Infinity;
    const first = all ? 0 : Math.max(rows.findIndex(inside), 0);
    const last = all ? rows.length - 1 : Math.max(rows.findLastIndex(inside), first);
    const more = graph.show(first, last);
    return strip.show(first, last, zoom) || more;
  }

  /** The same after scrolling. */
  function scrolled() {
    const far = Math.abs(element.scrollTop - lookedAt) > element.clientHeight / 3;
    if (far && look()) paint(seen);
  }

  /** The ground of each side, with its name, which stays in sight while its side is. */
  function shade() {
    const { choice, rows, layout } = now;
    const parts = [];
    for (const row of rows) {
      const side = sideOf(row.last, choice);
      if (parts.at(-1)?.side !== side) parts.push({ side, top: parts.length ? parts.at(-1).bottom : 0 });
      parts.at(-1).bottom = row.kind === "loss" ? layout.height : layout.boxes[row.index].cut;
    }
    regions.replaceChildren(...parts.filter(({ side }) => SIDES[side]).map(region));
  }

  function region({ side, top, bottom }) {
    const [where, words] = SIDES[side];
    const part = h("div", { class: `sl-region sl-on-${where}` }, h("span", { class: "sl-region-name" }, h("span", { class: "sl-wide" }, "On the "), words));
    part.style.top = `${top * zoom}px`;
    part.style.height = `${(bottom - top) * zoom}px`;
    return part;
  }

  /** Mark what is chosen, where the keys are, and what the pointer is on. */
  function paint(eye) {
    const { choice, rows, layout, graph, strip } = now;
    seen = eye;
    const at = (cut) => (cut < 0 ? undefined : rows.find((row) => cuttable(row) && row.last === cut));
    const marked = { cut: at(choice.cut), tail: at(choice.tail) };
    for (const box of graph.svg.querySelectorAll(".sl-box")) liken(box, rows[box.dataset.row], eye);
    for (const edge of graph.svg.querySelectorAll(".sl-edge")) {
      const over = (row) => row && Number(edge.dataset.from) <= row.index && Number(edge.dataset.to) > row.index;
      edge.classList.toggle("sl-crosses", Boolean(over(marked.cut) || over(marked.tail)));
    }
    for (const size of graph.svg.querySelectorAll(".sl-sizes text")) {
      size.classList.toggle("sl-hidden", [marked.cut?.index, marked.tail?.index].includes(Number(size.dataset.row)));
    }
    for (const slot of graph.svg.querySelectorAll(".sl-slot")) {
      slot.classList.toggle("sl-no", Boolean(choice.offers[rows[slot.dataset.row].last].reason));
    }
    const placed = choice.placing === "tail" ? marked.tail : marked.cut;
    for (const option of strip.svg.querySelectorAll(".sl-row")) {
      const index = Number(option.dataset.row);
      option.setAttribute("aria-selected", String(index === placed?.index));
      const other = index !== placed?.index && [marked.cut?.index, marked.tail?.index].includes(index);
      option.classList.toggle("sl-other", other);
      option.classList.toggle("sl-active", index === eye.active);
      option.classList.toggle("sl-over", index === eye.over);
    }
    if (eye.active === null) element.removeAttribute("aria-activedescendant");
    else element.setAttribute("aria-activedescendant", `${mark}-row-${eye.active}`);
    graph.lines.replaceChildren(...lines(marked, eye));
    shade();
    function lines({ cut, tail }, { over, active }) {
      const line = (row, look, words) => row && cutLine(layout, layout.boxes[row.index].cut, look, words);
      const looked = rows[over ?? active ?? -1];
      const preview = looked && ![cut, tail].includes(looked) && !choice.offers[looked.last]?.reason ? looked : null;
      const crossing = (row) => choice.crossing[choice.offers[row.last].name];
      const words = (row, what) => row && (crossing(row) === undefined ? what : `${what}: ${bytes(crossing(row))}`);
      const all = [line(preview, "preview", ""), line(cut, "cut", words(cut, "cut")), line(tail, "tail", words(tail, "tail"))];
      return all.filter(Boolean);
    }
  }

  function liken(box, row, eye) {
    const node = now.choice.drawing.nodes[row.first];
    box.dataset.side = sideOf(row.last, now.choice);
    box.classList.toggle("sl-selected", row.kind === "node" && node?.name === eye.selected);
    box.classList.toggle("sl-over", row.index === eye.over);
  }

  /** Scroll so that a row is in sight, the page not moving. */
  function show(index, centred = false) {
    const y = now.layout.boxes[index].cut * zoom;
    const [top, tall] = [element.scrollTop, element.clientHeight - heading.offsetHeight];
    const margin = 40;
    const above = y < top + margin;
    const wanted = centred ? tall / 2 : above ? margin : tall - margin; // from the top of what is in sight
    if (centred || above || y > top + tall - margin) element.scrollTop = y - wanted;
  }

  /** The zoom at which everything is in sight. */
  const fitting = () => Math.min((TALLEST - 70) / now.layout.height, across(), 1.15);
  const across = () => (width() - now.strip.width - RAIL) / now.layout.width;

  /** The zoom to begin with: everything where that can be read, else as wide as there is room. */
  const first = () => (fitting() >= FITS ? fitting() : Math.min(1, Math.max(across(), 0.62)));

  return { element, mark, draw, paint, resize, scrolled, show, fitting, first, now: () => now };
}

const layouts = new WeakMap(); // of each drawing, by what is unfolded

function laidOut(drawing, rows) {
  if (!layouts.has(drawing)) layouts.set(drawing, new Map());
  const known = layouts.get(drawing);
  const key = rows.map((row) => `${row.first}-${row.last}:${row.inside.length}`).join(" ");
  if (!known.has(key)) known.set(key, place(drawing, rows, edgesOf(drawing, rows)));
  return known.get(key);
}
