/**
 * Stands in for a widget in `_esm`: imports the widget's bundle from Jupyter's own server, or else from the kernel.
 *
 * This text is sent and saved with every widget, so it stays small. Python puts the two names in.
 */

const FILE = "@FILE@"; // the bundle, with a hash of its content
const VERSION = "@VERSION@"; // of splitlab in the kernel
const PATIENCE = 15_000; // milliseconds for the kernel to answer

/** Bundles of this page that came from a kernel, by file. */
const received = (globalThis.splitlabBundles ??= new Map());

/** Where JupyterLab and Voila serve our files; undefined elsewhere (VS Code, Colab). */
function served() {
  try {
    const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
    return new URL(`${config.fullLabextensionsUrl}/splitlab/static/widgets/`, location.href).href;
  } catch {
    return undefined;
  }
}

/** The bundle as the kernel sends it: one message with one buffer, turned into a module. */
function fromKernel(model) {
  const arrival = new Promise((resolve, reject) => {
    const done = (settle, value) => (clearTimeout(late), model.off("msg:custom", hear), settle(value));
    const hear = (content, buffers) => {
      if (content.type !== "bundle") return;
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: "text/javascript" }));
      done(resolve, import(/* @vite-ignore */ url).finally(() => URL.revokeObjectURL(url)));
    };
    const none = new Error("The kernel did not send this widget. Is it running? Then run the cell again.");
    const late = setTimeout(() => done(reject, none), PATIENCE);
    model.on("msg:custom", hear);
    model.send({ type: "bundle" });
  });
  received.set(FILE, arrival);
  arrival.catch(() => received.delete(FILE));
  return arrival;
}

/** What to tell where the server's files are not the kernel's. */
async function difference(base) {
  const answer = await fetch(`${base}bundles.json`).catch(() => undefined);
  const version = answer?.ok ? (await answer.json()).version : undefined;
  if (version === VERSION) return `Splitlab ${VERSION} was changed since this page was opened: reload the page.`;
  const here = version ? `splitlab ${version}` : "no splitlab";
  return `This page's Jupyter server has ${here}, the kernel has ${VERSION}. Install the same version in both, then reload.`;
}

function note(el, text) {
  const line = document.createElement("p");
  line.setAttribute("role", "status");
  line.textContent = text;
  el.prepend(line);
}

export default {
  async render(view) {
    const base = served();
    let module = base && (await import(/* @vite-ignore */ base + FILE).catch(() => undefined));
    try {
      module ??= await (received.get(FILE) ?? fromKernel(view.model));
    } catch (error) {
      return note(view.el, error.message);
    }
    if (view.signal?.aborted) return undefined;
    const home = document.createElement("div");
    view.el.append(home);
    if (base && received.has(FILE)) note(view.el, await difference(base));
    return module.default.render({ ...view, el: home });
  },
};
