import { testScale } from "@kahn/testing";
import fc from "fast-check";
import type * as v from "valibot";
import { expect, test } from "vitest";
import { modelOf, npmWorkspace } from "../workspace.fixture.ts";
import { configJsonSchema } from "./config-json-schema.ts";
import type { projectSchema, rootSchema } from "./config-schema.ts";
import { TASK_ENTRIES } from "./config-schema.ts";
import type { KahnConfig, ProjectConfig, TaskConfig } from "./config-types.ts";
import { defineConfig } from "./config-types.ts";

/** Compiles only when each of two types is assignable to the other. */
function sameType<Left extends Right, Right extends Back, Back = Left>(): void {}

// Goal: what people's editors accept is what the program accepts. Method: the compiler.
test("the written types and the schemas describe the same values", () => {
  sameType<KahnConfig, v.InferOutput<typeof rootSchema>>();
  sameType<v.InferOutput<typeof rootSchema>, KahnConfig>();
  sameType<ProjectConfig, v.InferOutput<typeof projectSchema>>();
  const config: KahnConfig = { tasks: {} };
  expect(defineConfig(config)).toBe(config);
});

test("the JSON Schema describes every field of a task and refuses others", async () => {
  const schema = (await configJsonSchema()) as Readonly<Record<string, unknown>>;
  const { tasks } = schema.properties as unknown as { tasks: { additionalProperties: unknown } };
  const task = tasks.additionalProperties as {
    properties: Record<string, { description?: string }>;
    additionalProperties: boolean;
  };
  expect(Object.keys(task.properties)).toEqual(Object.keys(TASK_ENTRIES));
  expect(task.additionalProperties).toBe(false);
  for (const [name, field] of Object.entries(task.properties)) expect(field.description, name).toBeTruthy();
  expect(schema.$schema).toContain("draft-07");
});

const name = fc.stringMatching(/^[a-z]{1,6}$/);
const names = fc.uniqueArray(name, { maxLength: 3 });
const duration = fc.oneof(fc.nat(100_000), fc.constantFrom("5m", "1h30m", "250ms"));
const task: fc.Arbitrary<TaskConfig> = fc.record(
  {
    description: fc.string(),
    dependsOn: fc.uniqueArray(
      fc.tuple(fc.constantFrom("", "^", "//#"), name).map((parts) => parts.join("")),
      { maxLength: 3 },
    ),
    after: names,
    validates: names,
    inputs: fc.uniqueArray(fc.constantFrom("src/**", "!src/x", "/root.json", "$default", "../b/y"), { maxLength: 3 }),
    outputs: fc.uniqueArray(fc.constantFrom("dist/**", "!dist/cache/**", "out/"), { maxLength: 3 }),
    env: fc.uniqueArray(fc.constantFrom("NODE_ENV", "VITE_*"), { maxLength: 2 }),
    passEnv: fc.constant(["AWS_PROFILE"]),
    tools: names,
    mutex: fc.oneof(name, fc.record({ name, mode: fc.constantFrom("shared" as const, "exclusive" as const) })),
    pool: fc.oneof(fc.constant("db"), fc.constant({ db: 2 })),
    slots: fc.nat(4),
    tags: names,
    priority: fc.integer({ min: -5, max: 5 }),
    timeout: duration,
    grace: duration,
    retries: fc.nat(3),
    interactive: fc.boolean(),
    cache: fc.boolean(),
    outputMode: fc.constantFrom("copy" as const, "link" as const),
    deps: fc.constantFrom("transitive" as const, "direct" as const),
    command: fc.oneof(fc.constant("tsc -b"), fc.constant(["tsc", "-b"])),
  },
  { requiredKeys: [] },
);

// Goal: a configuration means the same in every form it can be written in. Method: random tasks as kahn.jsonc, as a
// module, and in a package's own file; the models differ in places only.
test("a configuration means the same as data, as a program and as a project's own", async () => {
  const packages = npmWorkspace({ "@b/a": { scripts: { go: "node go.js" } }, "@b/b": {} });
  const settings = { pools: { db: 2 }, concurrency: 3 } as const;
  await fc.assert(
    fc.asyncProperty(task, async (go) => {
      const config: KahnConfig = { ...settings, tasks: { "@b/a#go": go } };
      const asData = await modelOf({ ...packages, "kahn.jsonc": config });
      const modules = { "/ws/kahn.config.mjs": config };
      const asProgram = await modelOf({ ...packages, "kahn.config.mjs": "" }, { modules });
      const asOwn = await modelOf({ ...packages, "kahn.jsonc": settings, "packages/a/kahn.jsonc": { tasks: { go } } });
      const withoutPlaces = (model: typeof asData) => model.tasks.map((each) => ({ ...each, declaredAt: undefined }));
      expect(withoutPlaces(asProgram)).toEqual(withoutPlaces(asData));
      expect(withoutPlaces(asOwn)).toEqual(withoutPlaces(asData));
      expect(asProgram.settings).toEqual(asData.settings);
      expect(JSON.parse(JSON.stringify(asData))).toEqual(JSON.parse(JSON.stringify(structuredClone(asData))));
    }),
    { numRuns: 20 * testScale(process.env.KAHN_TEST_SCALE) },
  );
});
