/**
 * Programs of a task that runs elsewhere: `node_modules/.bin` of its package and of the workspace root, as here.
 *
 * Owns:      the words with which a command finds them, and what to say when one was not found.
 * Invariant: nothing here names a place of this machine: the folders start from where the command runs, and are there
 *            only when they are among the inputs.
 */
import type { FileSystem, InputEntry, ResolvedAction } from "@kahn/core";

const FOLDER = "node_modules/.bin";

/** What a shell says of a program that it does not find. */
export const NOT_FOUND_EXIT_CODE = 127;

/** The command's words, with those folders before its PATH; unchanged where it has none of them. */
export function withProgramFolders(
  words: readonly string[],
  inputs: readonly InputEntry[],
  workingDirectory: string,
): readonly string[] {
  const folders = foldersOf(workingDirectory).filter(({ path }) => inputs.some((entry) => leadsTo(entry, path)));
  if (folders.length === 0) return words;
  const places = folders.map(({ fromHere }) => `$PWD/${fromHere}:`).join("");
  return ["sh", "-c", `PATH="${places}$PATH"; export PATH; exec "$@"`, "sh", ...words];
}

/** What to do about a command that exited with 127. @param text what it was to run, and what it said. */
export function notFoundHint(fs: Pick<FileSystem, "lstat">, form: ResolvedAction, text: string): string {
  const { command, outputs, inputs } = form;
  const known = new Set(inputs.map(({ path }) => path));
  for (const [name] of text.matchAll(/[\w@][\w@.-]*/g)) {
    for (const { path } of foldersOf(command.workingDirectory)) {
      const program = `${path}/${name}`;
      if (known.has(program) || fs.lstat(`${outputs.workspaceRoot}/${program}`) === undefined) continue;
      const glob = path === FOLDER ? "/node_modules/**" : "node_modules/**";
      return `${program} is not among the task's inputs: add "${glob}" to \`inputs\`, or install ${name} on the server.`;
    }
  }
  return (
    "The server did not find a program. It has what is in node_modules/.bin when node_modules is among the task's " +
    "`inputs`, and else the tools of its own PATH: install it there, or run without --remote-exec."
  );
}

/** The package's own, then the root's. */
function foldersOf(workingDirectory: string): { readonly path: string; readonly fromHere: string }[] {
  if (workingDirectory === "") return [{ path: FOLDER, fromHere: FOLDER }];
  return [
    { path: `${workingDirectory}/${FOLDER}`, fromHere: FOLDER },
    { path: FOLDER, fromHere: `${workingDirectory.replace(/[^/]+/g, "..")}/${FOLDER}` },
  ];
}

function leadsTo({ path, kind }: InputEntry, folder: string): boolean {
  return path.startsWith(`${folder}/`) || (kind === "symlink" && (path === folder || folder.startsWith(`${path}/`)));
}
