/** What the traits say about each cut: whether it may be chosen, what it costs, and which is best; nothing is drawn here. */

/**
 * One cut as it stands beside the graph. `reason` is empty where it may be chosen.
 * @typedef {{name: string, index: number, reason: string, up: number, down: number, bytes: number, seconds: number | null,
 *   macs: number, params: number, share: number}} Offer
 */

/**
 * Everything about the choice now.
 * @param {import("../types.js").Model} model
 * @param {"cut" | "tail"} target which of the two cuts is being placed
 */
export function choiceOf(model, target) {
  const drawing = model.get("graph");
  const uShaped = Boolean(model.get("u_shaped"));
  const [cut, tail] = [indexOf(drawing, model.get("cut")), uShaped ? indexOf(drawing, model.get("tail")) : -1];
  const placing = uShaped && cut >= 0 ? target : "cut";
  const offers = drawing.cuts.map((one, index) => offer(model, drawing, one, index, placing, { cut, tail }));
  const [best, locked, crossing] = [bestOf(offers), Boolean(model.get("locked")), model.get("crossing") ?? {}];
  return { drawing, uShaped, cut, tail, placing, offers, best, locked, crossing };
}

const indexOf = (drawing, name) => drawing.cuts.findIndex((cut) => cut.name === name);

/** @returns {Offer} */
function offer(model, drawing, one, index, placing, { cut, tail }) {
  const late = tail >= 0 && index >= tail ? `the tail begins after ${drawing.cuts[tail].name}: move that first` : "";
  const reason = placing === "tail" ? (model.get("tails")[one.name] ?? "a tail cannot begin here") : one.reason || late;
  const cost = model.get(placing === "tail" ? "tail_costs" : "costs")[one.name] ?? {};
  const [head, end] = placing === "tail" ? [drawing.cuts[cut], one] : [one, drawing.cuts[tail]];
  const macs = head.client_macs + (end?.server_macs ?? 0);
  const params = head.client_params + (end?.server_params ?? 0);
  const all = head.client_macs + head.server_macs;
  const { up = NaN, down = NaN, seconds = null } = cost;
  return { name: one.name, index, reason, up, down, bytes: up + down, seconds, macs, params, share: all ? macs / all : 0 };
}

/**
 * The best cuts among those that may be chosen: by bytes and by time. Of equals, the least work for the client, then the
 * last (after an activation, not before it).
 * @param {Offer[]} offers
 * @returns {{bytes?: Offer, seconds?: Offer}}
 */
export function bestOf(offers) {
  return Object.fromEntries(["bytes", "seconds"].map((key) => [key, least(offers, key)]));
}

function least(offers, key) {
  const known = offers.filter((one) => !one.reason && Number.isFinite(one[key]) && one[key] !== null);
  const better = (a, b) => a[key] - b[key] || a.macs - b.macs || b.index - a.index;
  return known.length > 1 ? known.toSorted(better)[0] : undefined;
}

/**
 * On whose side a node runs.
 * @returns {"head" | "body" | "tail" | "none"}
 */
export function sideOf(index, { cut, tail }) {
  if (cut < 0) return "none";
  if (index <= cut) return "head";
  return tail >= 0 && index > tail ? "tail" : "body";
}
