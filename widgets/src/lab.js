/**
 * The JupyterLab extension: a launcher card and a palette entry for each command.
 *
 * Every page of a Jupyter server loads it. Voila's has no launcher and no palette: there it does nothing, silently, which
 * is why JupyterLab's modules are imported late and its services asked for one by one.
 */

import { COMMANDS, pythonKernel } from "./commands.js";
import svgstr from "./icon.svg";

const CATEGORY = "Split learning";

/** JupyterLab's modules, or undefined on a page that lacks one. */
const modules = () =>
  Promise.all([
    import("@jupyterlab/apputils"),
    import("@jupyterlab/launcher"),
    import("@jupyterlab/services"),
    import("@jupyterlab/ui-components"),
  ]).catch(() => undefined);

/** A POST to our part of the server. */
async function ask({ ServerConnection }, settings, path, body = {}) {
  const init = { method: "POST", body: JSON.stringify(body) };
  const answer = await ServerConnection.makeRequest(settings.baseUrl + path, init, settings);
  if (answer.ok) return answer.json();
  if (answer.status === 404) {
    throw new Error(
      "This Jupyter server runs without splitlab's part of it. Install splitlab[lab] where JupyterLab is, and start it anew.",
    );
  }
  const said = await answer.json().catch(() => ({}));
  throw new Error(said.message ?? `The server answered ${answer.status}.`);
}

async function activate(app) {
  const found = await modules();
  if (!found) return;
  const [apputils, { ILauncher }, services, { LabIcon }] = found;
  const { commands, serviceManager } = app;
  const icon = new LabIcon({ name: "splitlab:icon", svgstr });
  const desk = {
    commands,
    base: serviceManager.serverSettings.baseUrl,
    ask: (path, body) => ask(services, serviceManager.serverSettings, path, body),
    kernel: async () => {
      await serviceManager.kernelspecs.ready;
      return pythonKernel(serviceManager.kernelspecs.specs);
    },
  };
  for (const { id, label, card, caption, run } of COMMANDS) {
    const execute = (args) =>
      run(desk, args).catch((error) => apputils.showErrorMessage("Split learning", error.message ?? String(error)));
    commands.addCommand(id, { icon, caption, execute, label: (args) => (args.isLauncher ? card : label) });
  }
  const [palette, launcher] = await Promise.all(
    [apputils.ICommandPalette, ILauncher].map((token) => app.resolveOptionalService(token)),
  );
  COMMANDS.filter(({ card }) => card).forEach(({ id: command }, rank) => {
    palette?.addItem({ command, category: CATEGORY, rank });
    launcher?.add({ command, category: CATEGORY, rank, args: { isLauncher: true } });
  });
  // The devices widget knows nothing of JupyterLab: it tells the page, and the page tells us.
  window.addEventListener("splitlab:console", ({ detail }) => commands.execute("splitlab:console", detail));
}

export default { id: "splitlab:lab", description: "Launcher card and commands for split learning.", autoStart: true, activate };
