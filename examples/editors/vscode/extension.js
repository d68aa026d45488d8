// Starts `guardkit lsp` and hands the rest to the language client.

const { commands, workspace } = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

function start() {
  // The setting has the scope `machine`: a folder that was merely opened cannot choose a program.
  const [command, ...args] = workspace.getConfiguration("guardkit").get("command");
  const run = { command, args, transport: TransportKind.stdio };
  client = new LanguageClient(
    "guardkit",
    "guardkit",
    { run, debug: run },
    {
      documentSelector: [{ language: "guard" }],
      // Policies use modules, word lists, cases and tool listings: any of them may change on disk.
      synchronize: {
        fileEvents: workspace.createFileSystemWatcher("**/*.{guard,txt,json,jsonl}"),
      },
    },
  );
  return client.start();
}

async function activate(context) {
  context.subscriptions.push(
    commands.registerCommand("guardkit.restart", async () => {
      await client?.stop();
      await start();
    }),
  );
  await start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
