/** Puts a file together that Python sends in pieces (a server drops what is sent too fast), and has it saved. */

/**
 * A function that takes the pieces in; when the last is there, the file is saved.
 * @param {(text: string) => void} say how far it is
 * @param {(name: string, blob: Blob) => void} [save]
 */
export function receiver(say, save = download) {
  let pieces = [];
  return async ({ name, mime, piece, pieces: count }, buffers) => {
    if (piece === 0) pieces = [];
    if (piece !== pieces.length) return; // it began before this view was there
    pieces.push(buffers[0]);
    if (pieces.length < count) return say(`${name}: ${Math.round((100 * pieces.length) / count)} %`);
    const packed = new Blob(pieces);
    pieces = [];
    const unpacked = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
    save(name, new Blob([unpacked], { type: mime }));
    say(`${name} saved`);
  };
}

/** @param {string} name @param {Blob} blob */
function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
