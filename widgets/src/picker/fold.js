/** Turns a drawing and what is unfolded into rows, one below the other: an operation, or a folded block of them. */

/**
 * A row. `first` and `last` are the nodes that it stands for; the cut below it is the one after `last`. `opens` are the
 * unfolded blocks that begin with this row (outermost first), `inside` are all that it lies in.
 * @typedef {{kind: "input" | "node" | "block" | "loss", first: number, last: number, block?: object,
 *   opens: object[], inside: object[], index: number}} Row
 */

/** What tells one block of a drawing from another. */
export const keyOf = (block) => `${block.name}@${block.first}-${block.last}`;

/**
 * Whether a block is unfolded: as the person said, or else as the drawing says; always while a chosen cut is inside.
 * @param {object} block
 * @param {Map<string, boolean>} said
 * @param {number[]} cuts the chosen cuts, as indices of nodes
 */
export const isOpen = (block, said, cuts = []) => holds(block, cuts) || (said.get(keyOf(block)) ?? block.open);

/** Whether a chosen cut lies inside a block and not at its end. */
export const holds = (block, cuts) => cuts.some((cut) => cut >= block.first && cut < block.last);

/** The path of the module that blocks lie in, the innermost last: what a name is shortened by. A stack is no module. */
export const pathOf = (blocks) => blocks.findLast((block) => !block.repeats)?.name ?? "";

/**
 * All rows from the input to the loss.
 * @param {any} drawing
 * @param {Map<string, boolean>} said
 * @param {number[]} [cuts]
 * @returns {Row[]}
 */
export function rowsOf(drawing, said, cuts = []) {
  const rows = [row("input", -1, -1, [])];
  fill(rows, drawing.blocks, 0, drawing.nodes.length - 1, [], (block) => isOpen(block, said, cuts));
  const end = drawing.nodes.length;
  rows.push(row("loss", end, end, []));
  return rows.map((row, index) => ({ ...row, index }));
}

const row = (kind, first, last, inside, block) => ({ kind, first, last, inside, block, opens: [], index: 0 });

function fill(rows, blocks, first, last, inside, open) {
  let place = first;
  for (const block of blocks) {
    for (; place < block.first; place++) rows.push(row("node", place, place, inside));
    if (open(block)) {
      const begin = rows.length;
      fill(rows, block.blocks, block.first, block.last, [...inside, block], open);
      rows[begin].opens.unshift(block);
    } else rows.push(row("block", block.first, block.last, inside, block));
    place = block.last + 1;
  }
  for (; place <= last; place++) rows.push(row("node", place, place, inside));
}

/**
 * What runs between rows: one edge for each pair, with the bytes of the values that take it.
 * @param {any} drawing
 * @param {Row[]} rows
 * @returns {{from: number, to: number, bytes: number, value: string}[]}
 */
export function edgesOf(drawing, rows) {
  const at = new Map([[drawing.input.name, 0]]);
  const sizes = new Map([[drawing.input.name, drawing.input.bytes ?? 0]]);
  for (const row of rows) {
    for (let node = row.first; node <= row.last && drawing.nodes[node]; node++) {
      at.set(drawing.nodes[node].name, row.index);
      sizes.set(drawing.nodes[node].name, drawing.nodes[node].bytes ?? 0);
    }
  }
  const found = new Map();
  const add = (value, to) => {
    const from = at.get(value);
    if (from === undefined || from === to) return;
    const key = `${from}>${to}`;
    if (!found.has(key)) found.set(key, { from, to, bytes: 0, value, values: new Set() });
    const edge = found.get(key);
    if (!edge.values.has(value)) edge.bytes += sizes.get(value);
    edge.values.add(value);
  };
  for (const node of drawing.nodes) node.reads.forEach((value) => add(value, at.get(node.name)));
  add(drawing.output, rows.at(-1).index);
  return [...found.values()].map(({ values, ...edge }) => edge);
}
