/** Small networks as splitlab/graph/drawing.py draws them, and the traits of a picker that shows one. */

const node = (name, kind, reads, bytes, params = 0, macs = 0) => ({ name, label: kind, kind, shape: [bytes / 4], params, macs, reads, bytes });

function cuts(nodes, illegal) {
  const sum = (items, key) => items.reduce((total, item) => total + item[key], 0);
  return nodes.map(({ name, shape }, index) => {
    const [before, after] = [nodes.slice(0, index + 1), nodes.slice(index + 1)];
    const reason = illegal[name] ?? (index === nodes.length - 1 ? "nothing is left for the server" : "");
    const sides = { client_macs: sum(before, "macs"), server_macs: sum(after, "macs"), client_params: sum(before, "params"), server_params: sum(after, "params") };
    return { name, legal: !reason, reason, values: [name], shapes: [shape], ...sides, client_share: 0, kept_bytes: 0 };
  });
}

export const chain = () => {
  const nodes = [
    node("conv1", "Conv 5×5", ["x"], 4096, 416, 25_600),
    node("relu1", "ReLU", ["conv1"], 4096),
    node("pool1", "Max pool 2×2", ["relu1"], 1024),
    node("fc1", "Linear", ["pool1"], 512, 1000, 70_000),
    node("pick", "Pick", ["fc1"], 512),
    node("fc2", "Linear", ["pick"], 40, 100, 4_400),
  ];
  const input = { name: "x", shape: [1, 8, 8], bytes: 256 };
  const all = cuts(nodes, { pick: "'pick' would cross, and it is no tensor" });
  return { model: "Chain", input, output: "fc2", nodes, cuts: all, default_cut: "pool1", blocks: [] };
};

/** A stem, then so many residual blocks of three operations, then a classifier. */
export const residual = (many = 2) => {
  const nodes = [node("stem", "Conv 3×3", ["x"], 4096, 100, 1000)];
  const blocks = [];
  let last = "stem";
  for (let i = 0; i < many; i++) {
    const first = nodes.length;
    nodes.push(node(`layer.${i}.conv`, "Conv 3×3", [last], 2048, 10, 100));
    nodes.push(node(`layer.${i}.norm`, "Batch norm", [`layer.${i}.conv`], 2048, 4));
    nodes.push(node(`layer.${i}.add`, "Add", [`layer.${i}.norm`, last], 2048));
    blocks.push({ name: `layer.${i}`, kind: "BasicBlock", first, last: first + 2, open: false, repeats: 0, blocks: [] });
    last = `layer.${i}.add`;
  }
  nodes.push(node("fc", "Linear", [last], 40, 50, 500));
  const layer = { name: "layer", kind: "Sequential", first: 1, last: 3 * many, open: true, repeats: 0, blocks };
  const input = { name: "x", shape: [3, 8, 8], bytes: 768 };
  return { model: "Residual", input, output: "fc", nodes, cuts: cuts(nodes, {}), default_cut: "stem", blocks: [layer] };
};

/** The traits of a picker. */
export function traits(graph, more = {}) {
  const legal = graph.cuts.filter((cut) => cut.legal);
  const costs = Object.fromEntries(legal.map((cut, i) => [cut.name, { up: cut.shapes[0][0] * 4, down: cut.shapes[0][0] * 4, seconds: 0.001 * (1 + ((i + 1) % 3)), parts: {} }]));
  const place = graph.cuts.findIndex((cut) => cut.name === graph.default_cut);
  const tails = Object.fromEntries(graph.cuts.map((cut, i) => [cut.name, i <= place ? "it must come later" : cut.reason]));
  const crossing = Object.fromEntries(graph.cuts.map((cut) => [cut.name, cut.shapes[0][0] * 4]));
  const rest = { tail: null, u_shaped: false, codec: "float32", gradient_codec: null, tail_costs: {}, locked: false, measured: {}, notice: "", selected: "" };
  return { graph, cut: graph.default_cut, costs, tails, crossing, ...rest, ...more };
}
