/** Says in plain sentences what a cut means and costs. */

import { bytes, count, percent, seconds, shape } from "../format.js";

/** The end of a name, which tells most, where there is no room for all of it. */
export const short = (name, room = 22) => (name.length <= room ? name : `…${name.slice(1 - room)}`);

/** What a cut costs, as half a sentence. */
export function costs(offer) {
  const parts = [];
  if (Number.isFinite(offer.bytes)) parts.push(`${bytes(offer.up)} per sample up, ${bytes(offer.down)} down`);
  parts.push(`client ${percent(offer.share, offer.share < 0.1 ? 1 : 0)} of the work, ${count(offer.params)} parameters`);
  if (offer.seconds !== null) parts.push(`predicted ${seconds(offer.seconds)} per sample`);
  return parts.join("; ");
}

/** The sentence of the cuts that are chosen. */
export function chosen(choice) {
  if (choice.cut < 0) return "No cut is chosen: the whole network runs on the client.";
  const offer = choice.offers[choice.placing === "tail" && choice.tail >= 0 ? choice.tail : choice.cut];
  const where = `Cut after ${choice.offers[choice.cut].name}`;
  const back = choice.tail >= 0 ? `, back to the client after ${choice.offers[choice.tail].name}` : "";
  return `${where}${back}: ${costs(offer)}.`;
}

/** What one would get by choosing this cut, or why it cannot be chosen. */
export function offered(offer, placing, locked) {
  const what = placing === "tail" ? "Tail after" : "Cut after";
  if (offer.reason) return `${placing === "tail" ? "No tail" : "No cut"} after ${offer.name}: ${offer.reason}.`;
  return `${what} ${offer.name}: ${costs(offer)}.${locked ? " Stop the run to move the cut." : ""}`;
}

/** What was measured, beside what was predicted. */
export function measured({ seconds: found, error }) {
  if (!Number.isFinite(found)) return "";
  const off = Number.isFinite(error) ? `: the prediction was off by ${percent(Math.abs(error), 0)}` : "";
  return `Measured ${seconds(found)} per sample${off}.`;
}

/** A node's second line. */
export function weights(node) {
  const parts = [node.params ? `${count(node.params)} parameters` : "", node.macs ? `${count(node.macs)} multiply-adds` : ""];
  return parts.filter(Boolean).join(" · ");
}

/** Everything about a node, for a tooltip and for screen readers. */
export function node(node) {
  const size = node.bytes === null ? "" : `, ${bytes(node.bytes)} per sample`;
  const rest = weights(node);
  return `${node.kind} (${node.name}): gives ${shape(node.shape)}${size}${rest ? `; ${rest}` : ""}`;
}

/** What a folded block is called, its path inside its parent, and what is in it. */
export function block(drawing, block, parent) {
  const params = drawing.nodes.slice(block.first, block.last + 1).reduce((sum, node) => sum + node.params, 0);
  const path = pathIn(block, parent);
  const size = `${block.last - block.first + 1} operations`;
  if (block.repeats) return { name: `${block.repeats} more like this`, path: "", text: `${short(path, 34)}` };
  return { name: kind(block), path, text: `${size} · ${count(params)} parameters` };
}

/** A block's name inside its parent: for a stack, that of its first and its last block. */
export const pathIn = (block, parent) => block.name.split(" … ").map((name) => within(name, parent)).join(" … ");

/** A path without its parent's; where only a number is left, with it. */
export function within(name, parent) {
  const rest = parent && name.startsWith(`${parent}.`) ? name.slice(parent.length + 1) : name;
  return /^\d+$/.test(rest) ? name.split(".").slice(-2).join(".") : rest;
}

/** A class's name in words: `InvertedResidual` is "Inverted residual". */
export function kind(block) {
  const plain = { Sequential: "Group", ModuleList: "Group", ModuleDict: "Group" }[block.kind];
  const words = block.kind.replace(/^_+/, "").replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return plain ?? words.charAt(0).toUpperCase() + words.slice(1);
}
