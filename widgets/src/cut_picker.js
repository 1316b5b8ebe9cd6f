/** The cut picker: a network's graph on which one clicks to choose where it is cut, with the cost of each cut beside. */

import css from "./cut_picker.css";
import { h, watch } from "./dom.js";
import { dress } from "./theme.js";
import { choiceOf } from "./picker/choice.js";
import { isOpen, keyOf } from "./picker/fold.js";
import { cuttable } from "./picker/graph.js";
import { HELP, keyboard } from "./picker/keyboard.js";
import { makeStage } from "./picker/stage.js";
import { tableOf } from "./picker/table.js";
import { toolbar } from "./picker/toolbar.js";
import { zoomable } from "./picker/zoom.js";

export default { render };

/** Traits after whose change the same graph is drawn with other marks. */
const NEWS = [
  ...["cut", "tail", "u_shaped", "costs", "tail_costs", "tails", "crossing"],
  ...["locked", "measured", "notice", "codec", "gradient_codec", "selected"],
];

/** @param {import("./types.js").View} view */
function render(view) {
  const { model, el, signal } = view;
  const eye = { said: new Map(), target: "cut", active: null, over: null, metric: "bytes", selected: "" };
  const tools = toolbar({ uShape, target, fold: foldAll, zoom: (by) => moved.set(moved.get() * by), fit, metric, take });
  const stage = makeStage(tools.metric);
  const moved = zoomable(stage.element, signal, stage.resize);
  const table = tableOf(choice);
  const help = h("div", { class: "sl-unseen", id: `${stage.mark}-help` }, HELP);
  el.replaceChildren(tools.element, tools.readout, stage.element, help, table.details, tools.live);
  dress(view, "cut_picker", css);

  /** What the traits say now. */
  function choice() {
    const found = choiceOf(model, eye.target);
    const codecs = [model.get("codec"), model.get("gradient_codec")].filter(Boolean);
    return { ...found, codec: [...new Set(codecs)].join(" / ") };
  }

  function draw() {
    eye.selected = model.get("selected");
    stage.draw(choice(), eye);
    tell();
    table.fill();
  }

  /** Draw another network from its beginning, at a zoom that suits it. */
  function begin() {
    eye.said.clear();
    eye.active = eye.over = null;
    draw();
    moved.set(stage.first());
    toChosen(true);
  }

  function toChosen(centred) {
    const { rows, choice } = stage.now();
    const row = rows.find((one) => one.last === choice[choice.placing]);
    if (row) stage.show(row.index, centred);
  }

  /** Say what is chosen, and what lies under the pointer or the keys. */
  function tell() {
    const { choice, rows } = stage.now();
    const row = rows[eye.over ?? eye.active ?? -1];
    const offer = row && cuttable(row) ? choice.offers[row.last] : null;
    tools.tell(choice, { notice: model.get("notice"), measured: model.get("measured"), offer, said: eye.note });
  }

  // ---- what a person does --------------------------------------------------------------------------------------------

  /** Choose the cut below a row, if it is one that can be chosen. */
  function choose(index, asTail = false) {
    const row = stage.now().rows[index];
    if (!row || !cuttable(row)) return;
    take(model.get("graph").cuts[row.last].name, asTail);
  }

  /** Choose a cut by name, as the first cut or as the tail's. */
  function take(name, asTail = false) {
    const place = asTail || stage.now().choice.placing === "tail" ? "tail" : "cut";
    const now = choiceOf(model, place);
    const told = now.offers.find((offer) => offer.name === name).reason;
    const reason = place === "tail" ? (model.get("tails")[name] ?? told) : told; // also where there is no U-shape yet
    model.set("selected", name);
    if (!now.locked && !reason) {
      if (place === "tail" && !now.uShaped) model.set("u_shaped", true);
      model.set(place, name);
      if (now.uShaped) eye.target = place === "cut" ? "tail" : "cut"; // the second click sets the second cut
    }
    eye.note = now.locked ? "Stop the run to move the cut." : reason ? `No ${place} after ${name}: ${reason}.` : "";
    model.save_changes();
    repaint();
  }

  function uShape(on) {
    if (choiceOf(model, "cut").locked) return draw();
    eye.target = on ? "tail" : "cut";
    model.set("u_shaped", on);
    model.save_changes();
    repaint();
  }

  function target(next) {
    eye.target = next;
    draw();
    toChosen(false);
  }

  function metric(next) {
    eye.metric = next;
    draw();
  }

  /** Go to the next cut that can be chosen (or, with `all`, the next of any), by so many. */
  function move(by, all) {
    const { rows, choice } = stage.now();
    const stops = rows.filter((row) => cuttable(row) && (all || !choice.offers[row.last].reason)).map((row) => row.index);
    if (!stops.length) return;
    const begin = eye.active ?? rows.find((row) => row.last === choice[choice.placing])?.index ?? 0;
    const next = by > 0 ? stops.filter((index) => index > begin) : stops.filter((index) => index < begin).reverse();
    eye.active = (Number.isFinite(by) ? next[0] : next.at(-1)) ?? begin;
    eye.over = null;
    eye.note = "";
    stage.show(eye.active);
    stage.paint(eye);
    tell();
  }

  /** Unfold the block at the keys, or fold the one around them. */
  function fold(open) {
    const row = stage.now().rows[eye.active ?? -1];
    const block = open ? row?.block : row?.inside.at(-1);
    if (block) setFold(block, open, row.last);
  }

  function setFold(block, open, stay = block.last) {
    eye.said.set(keyOf(block), open);
    const y = place(block);
    draw();
    stage.element.scrollTop += place(block) - y; // what was clicked stays where it was
    const row = stage.now().rows.find((one) => one.last >= stay);
    if (eye.active !== null) eye.active = row.index;
    eye.over = null;
    if (!open && isOpen(block, eye.said, cuts())) eye.note = `The cut is inside ${block.name}, so it stays unfolded.`;
    stage.paint(eye);
    tell();
  }

  const cuts = () => [stage.now().choice.cut, stage.now().choice.tail].filter((cut) => cut >= 0);

  /** Where a block begins on the stage, in pixels. */
  function place(block) {
    const { rows, layout } = stage.now();
    return layout.boxes[rows.findIndex((row) => row.first >= block.first)].y * moved.get();
  }

  function foldAll(open) {
    const each = (blocks) => blocks.forEach((block) => (eye.said.set(keyOf(block), open ?? block.open), each(block.blocks)));
    each(model.get("graph").blocks);
    eye.active = eye.over = null;
    draw();
    toChosen(true);
  }

  function fit() {
    moved.set(stage.fitting());
    toChosen(true);
  }

  const actions = {
    move,
    fold,
    fit,
    choose: (asTail) => eye.active !== null && choose(eye.active, asTail),
    zoom: (by) => moved.set(moved.get() * by),
    reset: () => ((eye.active = eye.over = null), (eye.note = ""), stage.paint(eye), tell()),
  };
  keyboard(stage.element, signal, actions);

  const rowAt = (event) => {
    const found = event.target.closest?.("[data-row]");
    return found && stage.element.contains(found) ? Number(found.dataset.row) : null;
  };

  const blockAt = (event) => {
    const found = event.target.closest?.("[data-block]");
    const every = (blocks) => blocks.flatMap((block) => [block, ...every(block.blocks)]);
    return found && every(model.get("graph").blocks).find((block) => keyOf(block) === found.dataset.block);
  };

  function click(event) {
    if (moved.dragged()) return;
    const block = blockAt(event);
    if (block) return setFold(block, !isOpen(block, eye.said, cuts()));
    const folded = event.target.closest?.("[data-unfold]");
    if (folded) return setFold(stage.now().rows[folded.dataset.unfold].block, true);
    const index = rowAt(event);
    if (index === null) return;
    eye.active = cuttable(stage.now().rows[index]) ? index : null;
    choose(index, event.shiftKey);
  }

  function hover(event) {
    const index = event.type === "pointerleave" || event.pointerType === "touch" ? null : rowAt(event);
    if (index === eye.over) return;
    eye.over = index;
    eye.note = "";
    stage.paint(eye);
    tell();
  }

  stage.element.addEventListener("scroll", stage.scrolled, { signal, passive: true });
  stage.element.addEventListener("click", click, { signal });
  stage.element.addEventListener("pointermove", hover, { signal });
  stage.element.addEventListener("pointerleave", hover, { signal });

  // ---- what Python says ----------------------------------------------------------------------------------------------

  watch(model, signal, "graph", begin);
  const repaint = batched(signal, () => {
    if (!model.get("u_shaped")) eye.target = "cut";
    draw();
  });
  watch(model, signal, NEWS, repaint);
  watch(model, signal, "selected", () => {
    const { nodes } = model.get("graph");
    const name = model.get("selected");
    const row = stage.now().rows.find((one) => one.kind === "node" && nodes[one.first].name === name);
    if (row) stage.show(row.index);
  });
  follow(stage.element, signal, () => (draw(), moved.set(moved.get())));
  begin();
}

/** Once for many changes that come together. */
function batched(signal, act) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      if (!signal.aborted) act();
    });
  };
}

/** Call back when an element's width changes. */
function follow(element, signal, changed) {
  let width = element.clientWidth;
  const observer = new ResizeObserver(() => {
    if (element.clientWidth === width || !element.clientWidth) return;
    width = element.clientWidth;
    changed();
  });
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect());
}
