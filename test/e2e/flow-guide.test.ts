// Goal: what the guide to workflows shows does what it says. Method: its snippets are taken as they stand, compiled,
// and run on the built files: the graph in a file of its own, each program in a process of its own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transformSync } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { kahnBinary } from "./rig/kahn-process.ts";

const directory = mkdtempSync(join(tmpdir(), "kahn-flow-guide-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const guide = readFileSync(new URL("../../docs/guides/workflows.md", import.meta.url), "utf8");
const snippets = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);
const snippetWith = (text: string) => snippets.find((each) => each.includes(text))!;

function compiled(name: string, source: string): string {
  const entry = (file: string) => JSON.stringify(pathToFileURL(join(kahnBinary(), "..", file)).href);
  const code = transformSync(source, { loader: "ts", format: "esm" })
    .code.replaceAll('"kahn/flow"', entry("flow.mjs"))
    .replaceAll('"kahn/testing"', entry("testing.mjs"))
    .replaceAll('"./review.ts"', '"./review.mjs"')
    .replaceAll("/home/you/project/.runs", join(directory, "runs"));
  const path = join(directory, name);
  writeFileSync(path, code);
  return path;
}

const run = (path: string) => execFileSync(process.execPath, [path], { encoding: "utf8", timeout: 50_000 }).trim();

const whole = snippetWith("export const review = defineGraph");
const cut = whole.indexOf("const flow = openFlow");
compiled("review.mjs", whole.slice(0, cut));

test("the guide's run waits, and its second program decides and finishes it", () => {
  const first = `import { openFlow } from "kahn/flow";\nimport { review } from "./review.ts";\n${whole.slice(cut)}`;
  expect(run(compiled("first.mjs", first))).toBe("waiting");
  expect(run(compiled("second.mjs", snippetWith('flow.resume("r-1", review)')))).toContain("a note on kernels");
});

test("must-have 18: the guide's tests with the kit of kahn/testing pass, and fail when the graph is another", () => {
  const kit = snippetWith('from "kahn/testing"');
  expect(run(compiled("kit.mjs", kit))).toBe("");
  const path = compiled("wrong.mjs", kit.replace('"approve#2"', '"approve#9"'));
  expect(() => execFileSync(process.execPath, [path], { stdio: "pipe", timeout: 50_000 })).toThrow(/approve#9/);
});

test("the graph of the reference, which has every kind of node and edge, runs as its page says", () => {
  const page = readFileSync(new URL("../../docs/reference/workflow-graphs.md", import.meta.url), "utf8");
  compiled("book.mjs", /^```ts\n(.*?)^```$/ms.exec(page)![1]!);
  const program = `
    import { openFlow } from "kahn/flow";
    import book from "./book.mjs";
    const flow = openFlow(${JSON.stringify(join(directory, "books"))});
    const run = await flow.start(book, { chapters: ["one", "two"] });
    await run.settled();
    await run.decide("check#1/legal", { approve: true, payload: { comment: "fine" } });
    const { status, state } = await run.result;
    console.log(status, state.verdict, state.drafts.length, JSON.stringify(state.checks));
    await flow.close();`;
  expect(run(compiled("books.mjs", program))).toBe('completed published 2 {"spelling":true}');
});
