/**
 * The release of this package: tests and pack as cached actions, a person's approval, publication with a fallback.
 *
 * What is published is what was approved, byte for byte: the tarball is kept by its digest when it is packed, so later
 * edits, a cleaned folder or a deleted cache change nothing.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { action, barrier, defineGraph, END, fail, reduce, state } from "kahn/flow";

const HERE = fileURLToPath(new URL(".", import.meta.url));

const S = state({
  /** Where packages are published: a folder that stands for a registry. */
  registry: state.value("registry"),
  version: state.value(""),
  tarball: state.blob(),
  /** Where it went: a file, or empty when it went nowhere. */
  published: state.value(""),
  log: state.value<string[]>([], reduce.append),
});

const fileOf = (version: string) => `greeting-${version}.tgz`;

export default defineGraph(S, {
  id: "release",
  version: "1",
  start: "check",
  maxSteps: 50,
  nodes: {
    check: action({
      work: { tasks: ["build", "test"] },
      result: (done) =>
        done.kind === "tasks" ? { set: { log: [`${done.executed} tasks ran, ${done.cached} were known`] } } : {},
    }),

    pack: action({
      work: {
        command: ["npm", "pack", "--silent", "--offline"],
        inputs: ["package.json", "dist/**"],
        outputs: ["*.tgz"],
      },
      result: (made) => {
        const tarball = made.kind === "command" ? made.outputs[0] : undefined;
        if (made.kind !== "command" || tarball === undefined) return fail("npm pack made no tarball");
        const { version } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8")) as { version: string };
        return { set: { version, tarball: made.keep(tarball), log: [made.cached ? "packed before" : "packed"] } };
      },
      timeout: "1m",
    }),

    approve: barrier({
      payload: ({ version, tarball, registry }) => ({ version, digest: tarball.digest, registry }),
      accept: { comment: "string?" },
      // Nobody looked at it for two days: then it is not released.
      timeout: "2d",
      onTimeout: "reject",
      onReject: { goto: "withdraw" },
      decided: (outcome) =>
        outcome.kind === "approve" ? { set: { log: [`approved by ${outcome.by ?? "somebody"}`] } } : {},
    }),

    publish: {
      run: ({ state: { registry, version, tarball }, readBlob }) => {
        const folder = join(HERE, registry);
        if (!existsSync(folder)) fail(`the registry ${folder} cannot be reached`, { class: "Retryable" });
        const path = join(folder, fileOf(version));
        const bytes = readBlob(tarball);
        // The same bytes once more are no harm: that is how a run looks that died after it had published.
        if (existsSync(path) && !readFileSync(path).equals(bytes))
          return { fallback: `${version} is published already` };
        writeFileSync(path, bytes);
        return { set: { published: path, log: [`published ${version}`] } };
      },
      retry: { max: 3, delay: "20ms", jitter: 0 },
      sideEffects: true,
    },

    draft: {
      run: ({ state: { version, tarball, log }, readBlob }) => {
        const folder = join(HERE, "drafts", version);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, fileOf(version)), readBlob(tarball));
        writeFileSync(join(folder, "notes.md"), `# ${version}\n\n${log.map((line) => `- ${line}\n`).join("")}`);
        return { set: { published: join(folder, fileOf(version)), log: ["left as a draft"] } };
      },
      sideEffects: true,
    },

    withdraw: { run: () => ({ set: { log: ["withdrawn"] } }) },
  },
  edges: [
    ["check", "pack"],
    ["pack", "approve"],
    ["approve", "publish"],
    ["publish", END],
    // The registry does not answer, or has another 1.4.0: nothing is lost, a person can publish the draft.
    { from: "publish", to: "draft", fallback: true },
    ["draft", END],
    ["withdraw", END],
  ],
});
