/** What splitlab adds to JupyterLab, as a table of commands; knows nothing of JupyterLab's own modules. */

/** The first cell of a new lab. */
export const FIRST = 'import splitlab as sl\n\nsl.Lab("lenet", "digits")';

/**
 * What a command may use.
 * @typedef {object} Desk
 * @property {{ execute: (id: string, args?: object) => Promise<any> }} commands
 * @property {() => Promise<string | undefined>} kernel the name of the kernel for new notebooks
 * @property {(path: string, body?: object) => Promise<any>} ask a POST to the server; JSON back
 * @property {string} base the server's address, ends with a slash
 */

/** A new notebook whose first cell shows a lab. @param {Desk} desk @param {{ cwd?: string }} args */
async function newLab({ commands, kernel }, { cwd }) {
  const panel = await commands.execute("notebook:create-new", { cwd, kernelName: await kernel() });
  await panel.context.ready;
  panel.content.activeCell.model.sharedModel.setSource(FIRST);
  await panel.sessionContext.ready;
  await commands.execute("notebook:run-cell");
}

/** @param {Desk} desk */
async function openTutorial({ commands, ask }) {
  const { path } = await ask("splitlab/open/tutorial");
  await commands.execute("docmanager:open", { path });
}

/** The tab opens at once: after an answer has been waited for, browsers take it for a pop-up. @param {Desk} desk */
async function openDashboard({ ask, base }) {
  const tab = window.open("", "_blank");
  try {
    const { path } = await ask("splitlab/open/dashboard");
    const address = `${base}voila/render/${path.split("/").map(encodeURIComponent).join("/")}`;
    if (!tab) throw new Error(`The browser did not open a new tab. The dashboard is at ${address}`);
    tab.location.href = address;
  } catch (error) {
    tab?.close();
    throw error;
  }
}

/** A console on a kernel that a notebook started. @param {Desk} desk @param {{ connection: string, name?: string }} args */
async function openConsole({ commands, ask }, { connection, name }) {
  const { kernel_id } = await ask("splitlab/kernels", { id: connection });
  await commands.execute("console:create", { name, kernelPreference: { id: kernel_id }, activate: true });
}

/** `card`: what the launcher says, where the command has a card. */
export const COMMANDS = [
  {
    id: "splitlab:lab",
    label: "Split learning: new lab",
    card: "New lab",
    caption: "A notebook in which you cut a network with the mouse and train its parts",
    run: newLab,
  },
  {
    id: "splitlab:tutorial",
    label: "Split learning: open tutorial",
    card: "Tutorial",
    caption: "The first numbered notebook, as a copy of your own",
    run: openTutorial,
  },
  {
    id: "splitlab:dashboard",
    label: "Split learning: open dashboard",
    card: "Dashboard",
    caption: "The controls and the charts without code, in a new tab",
    run: openDashboard,
  },
  {
    id: "splitlab:console",
    label: "Split learning: open a console on a device",
    caption: "A console on the kernel of a client or of the server",
    run: openConsole,
  },
];

/** The right kernel for a new notebook: the server's default if that is Python, else the first that is. */
export function pythonKernel({ default: name, kernelspecs }) {
  const isPython = (one) => kernelspecs[one]?.language === "python";
  return isPython(name) ? name : Object.keys(kernelspecs).find(isPython);
}
