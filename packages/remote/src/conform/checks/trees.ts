/** §2.3: GetTree. */
import type { Check } from "../check.ts";
import { must, section, should } from "../check.ts";
import type { Blob, CheckedServer } from "../checked-server.ts";
import { Code, expectCode } from "../endpoint.ts";
import { demand, same, sameSet, skip } from "../expectations.ts";
import { encodeMessage } from "../wire.ts";

const { INVALID_ARGUMENT, NOT_FOUND, OK } = Code;

/** What tells directories apart here: the one file in each. */
interface TreeDirectory {
  readonly files: readonly { readonly name: string }[];
}

/** A directory with a file of this name. */
function directoryOf(server: CheckedServer, name: string, children: readonly (readonly [string, Blob])[] = []): Blob {
  const files = [{ name, digest: server.blob(0).digest }];
  const directories = children.map(([child, { digest }]) => ({ name: child, digest }));
  return server.blob(encodeMessage("Directory", { files, directories }));
}

/** A root with so many children, stored. */
async function wideTree(
  server: CheckedServer,
  count: number,
): Promise<{ readonly root: Blob; readonly names: string[] }> {
  const salt = server.unique();
  const names = Array.from({ length: count }, (_, index) => `${salt}-${`${index}`.padStart(4, "0")}`);
  const children = names.map((name) => [name, directoryOf(server, name)] as const);
  const root = directoryOf(server, salt, children);
  await server.put(root, ...children.map(([, blob]) => blob));
  return { root, names: [salt, ...names] };
}

/** The tree in pages. */
async function pagesOf(
  server: CheckedServer,
  root: Blob,
  plan: { readonly pageSize?: number; readonly pageToken?: string } = {},
) {
  const outcome = await server.endpoint.call("getTree", { ...server.scope, rootDigest: root.digest, ...plan });
  expectCode(outcome, OK);
  return outcome.answers;
}

const namesOf = (pages: readonly { readonly directories: readonly TreeDirectory[] }[]) =>
  pages.flatMap(({ directories }) => directories.map(({ files }) => files[0]?.name ?? ""));

/** The checks of GetTree. */
export const TREE_CHECKS: readonly Check[] = section("2.3", [
  must("get-tree/whole", "Every directory below a root comes, the root among them.", async (server) => {
    const salt = server.unique();
    const leaf = directoryOf(server, `${salt}-leaf`);
    const middle = directoryOf(server, `${salt}-middle`, [["leaf", leaf]]);
    const root = directoryOf(server, `${salt}-root`, [["middle", middle]]);
    await server.put(leaf, middle, root);
    const names = namesOf(await pagesOf(server, root));
    sameSet(
      names,
      ["leaf", "middle", "root"].map((name) => `${salt}-${name}`),
      "the directories of the tree",
    );
  }),
  must("get-tree/page-size", "No page has more directories than page_size, and all come.", async (server) => {
    const { root, names } = await wideTree(server, 24);
    const pages = await pagesOf(server, root, { pageSize: 10 });
    for (const { directories } of pages)
      demand(directories.length <= 10, `a page has ${directories.length} directories of 10`);
    sameSet(namesOf(pages), names, "the directories of all pages");
  }),
  should("get-tree/resume", "A page_token goes on where its page ended.", async (server) => {
    const { root, names } = await wideTree(server, 24);
    const pages = await pagesOf(server, root, { pageSize: 10 });
    const [first] = pages;
    const pageToken = first?.nextPageToken ?? "";
    if (pageToken === "") skip("the server sends one page, and no token");
    const rest = await pagesOf(server, root, { pageSize: 10, pageToken });
    sameSet([...namesOf([first!]), ...namesOf(rest)], names, "the first page and what follows its token");
    same(rest.at(-1)?.nextPageToken ?? "", "", "the token of the last page");
  }),
  should("get-tree/duplicates", "A directory that is there many times comes once.", async (server) => {
    const salt = server.unique();
    const leaf = directoryOf(server, `${salt}-leaf`);
    const root = directoryOf(
      server,
      `${salt}-root`,
      ["a", "b", "c"].map((name) => [name, leaf] as const),
    );
    await server.put(leaf, root);
    sameSet(namesOf(await pagesOf(server, root)), [`${salt}-leaf`, `${salt}-root`], "the directories of the tree");
  }),
  must("get-tree/incomplete", "What is missing below the root is left out.", async (server) => {
    const salt = server.unique();
    const [there, gone] = [directoryOf(server, `${salt}-there`), directoryOf(server, `${salt}-gone`)];
    const root = directoryOf(server, `${salt}-root`, [
      ["gone", gone],
      ["there", there],
    ]);
    await server.put(there, root);
    sameSet(namesOf(await pagesOf(server, root)), [`${salt}-root`, `${salt}-there`], "the directories of the tree");
  }),
  must("get-tree/no-root", "A root that is not there is NOT_FOUND.", async (server) => {
    const rootDigest = server.blob().digest;
    expectCode(await server.endpoint.call("getTree", { ...server.scope, rootDigest }), NOT_FOUND);
  }),
  must("get-tree/bad-token", "A token that no server gave is INVALID_ARGUMENT.", async (server) => {
    const root = directoryOf(server, server.unique());
    await server.put(root);
    const request = { ...server.scope, rootDigest: root.digest, pageToken: "no token" };
    expectCode(await server.endpoint.call("getTree", request), INVALID_ARGUMENT);
  }),
  should("get-tree/no-directory", "A root that is no Directory fails, and not as NOT_FOUND.", async (server) => {
    const root = server.blob(Buffer.from("\xff\xff\xff\xff", "latin1"));
    await server.put(root);
    const outcome = await server.endpoint.call("getTree", { ...server.scope, rootDigest: root.digest });
    expectCode(outcome, INVALID_ARGUMENT, Code.FAILED_PRECONDITION);
  }),
]);
