import { type TaskId, warning } from "@kahn/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WorkspaceModel } from "../model.ts";
import { project, type TaskFields, task, workspace } from "../testing-model.ts";
import { type PlannedTask, planTasks } from "./task-plan.ts";
import { type TaskRequest, withoutStandIns } from "./task-request.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);

/** A model of projects named by letters; `a > b c` means that a depends on b and c. */
function modelOf(projects: readonly string[], tasks: Record<string, TaskFields>): WorkspaceModel {
  const owners = projects.map((line) => {
    const [name, , ...dependencies] = line.split(" ");
    return project(name!, name === "//" ? "" : `packages/${name}`, dependencies);
  });
  const definitions = Object.entries(tasks).map(([id, fields]) => {
    const [owner, name] = id.split("#");
    return task(owners.find((each) => each.name === owner)!, name!, fields);
  });
  return workspace("/w", owners, { tasks: definitions });
}

function planned(model: WorkspaceModel, request: TaskRequest | string): readonly PlannedTask[] {
  const plan = planTasks(model, typeof request === "string" ? { tasks: [request] } : request);
  if (!plan.ok) throw new Error(JSON.stringify(plan.problem, undefined, 1));
  return plan.value;
}

function problemsOf(model: WorkspaceModel, request: TaskRequest | string) {
  const plan = planTasks(model, typeof request === "string" ? { tasks: [request] } : request);
  return plan.ok ? [] : plan.problem;
}

/** `a#build: b#build` for each task, in order. */
function edges(plan: readonly PlannedTask[]): string[] {
  return plan.map((each) => `${each.task.id}: ${each.requires.join(" ")}`.trim());
}

test("a bare name means the task in every selected project that has it", () => {
  const model = modelOf(["a", "b", "c"], { "a#build": {}, "b#build": {}, "c#lint": {} });
  expect(edges(planned(model, "build"))).toEqual(["a#build:", "b#build:"]);
  expect(edges(planned(model, { tasks: ["build"], projects: ["b", "c"] }))).toEqual(["b#build:"]);
  expect(edges(planned(model, { tasks: ["a#build", "lint"], projects: ["c"] }))).toEqual(["a#build:", "c#lint:"]);
});

test("a requested task brings all that it requires, and knows which were asked for", () => {
  const model = modelOf(["a > b", "b"], {
    "a#test": { dependsOn: ["build"] },
    "a#build": { dependsOn: ["^build"] },
    "b#build": {},
  });
  const plan = planned(model, "test");
  expect(edges(plan)).toEqual(["a#build: b#build", "a#test: a#build", "b#build:"]);
  expect(plan.filter((each) => each.isRequested).map((each) => each.task.id)).toEqual(["a#test"]);
});

test("a dependency without the task passes the edge through and contributes its own files", () => {
  const model = modelOf(["a > b", "b > c d", "c > d", "d > e", "e"], {
    "a#build": { dependsOn: ["^build"] },
    "c#build": { dependsOn: ["^build"] },
    "e#build": {},
  });
  const plan = planned(model, "a#build");
  expect(edges(plan)).toEqual(["a#build: c#build e#build", "c#build: e#build", "e#build:"]);
  expect(plan.map((each) => each.contributors)).toEqual([["b", "d"], ["d"], []]);
});

test("projects that depend on each other in a ring are no error as long as their tasks do not", () => {
  const model = modelOf(["a > b", "b > a"], {
    "a#build": { dependsOn: ["^build"] },
    "b#test": { dependsOn: ["^build"] },
  });
  expect(edges(planned(model, { tasks: ["build", "test"] }))).toEqual(["a#build:", "b#test: a#build"]);
});

test("order without need: `after` holds only between tasks that are both selected", () => {
  const model = modelOf(["a > b", "b"], { "a#test": { after: ["lint", "^lint"] }, "a#lint": {}, "b#lint": {} });
  const after = (request: TaskRequest) => planned(model, request).find((each) => each.task.id === "a#test")!.after;
  expect(after({ tasks: ["test"] })).toEqual([]);
  expect(after({ tasks: ["test", "b#lint"] })).toEqual(["b#lint"]);
  expect(after({ tasks: ["test", "lint"] })).toEqual(["a#lint", "b#lint"]);
});

test("a validator runs with what it validates, with its own requirements, and not the other way round", () => {
  const model = modelOf(["a"], {
    "a#build": {},
    "a#types": { validates: ["build"], dependsOn: ["gen"] },
    "a#gen": {},
    "a#meta": { validates: ["gen"] },
  });
  const plan = planned(model, "build");
  expect(edges(plan)).toEqual(["a#build:", "a#gen:", "a#meta:", "a#types: a#gen"]);
  expect(plan.find((each) => each.task.id === "a#types")!.validates).toEqual(["a#build"]);
  expect(edges(planned(model, "meta"))).toEqual(["a#meta:"]);
});

test("a mistyped request is answered with what was meant", () => {
  const model = modelOf(["@acme/ui", "b"], { "@acme/ui#build": {}, "b#lint": {} });
  const only = (request: TaskRequest | string) => {
    const [problem, ...more] = problemsOf(model, request);
    expect(more).toEqual([]);
    return [problem!.code, problem!.next];
  };
  expect(only("biuld")).toEqual(["task-unknown", 'Did you mean "build"?']);
  expect(only("@acme/ui#biuld")).toEqual(["task-unknown", 'Did you mean "build"?']);
  expect(only("ui#build")).toEqual(["project-unknown", 'Did you mean "@acme/ui#build"?']);
  expect(only({ tasks: ["build"], projects: ["b"] })).toEqual([
    "task-not-selected",
    "Select one of these projects with -p, or name it: @acme/ui#build.",
  ]);
});

test("every reference that leads nowhere is reported, with its place", () => {
  const declaredAt = { file: "kahn.jsonc", line: 7 };
  const model = modelOf(["a", "b"], {
    "a#build": { dependsOn: ["^biuld", "c#build", "b#tset"], validates: ["nothing"], declaredAt },
    "b#test": {},
  });
  const problems = problemsOf(model, "build");
  expect(problems.map((each) => each.code)).toEqual(Array(4).fill("task-reference-unknown"));
  expect(problems.every((each) => each.where === declaredAt)).toBe(true);
  expect(problems.map((each) => each.next)).toContain('Did you mean "b#test"?');
});

test("a reference that many projects share is reported once, where it stands, and as it should read", () => {
  const text = '    "build": { "dependsOn": ["^biuld"] },';
  const declaredAt = { file: "kahn.jsonc", line: 3, column: 5, length: 7, text };
  const tasks = Object.fromEntries(
    ["a", "b", "c"].map((name) => [`${name}#build`, { declaredAt, dependsOn: ["^biuld"] }]),
  );
  expect(problemsOf(modelOf(["c", "b", "a"], tasks), "build")).toEqual([
    {
      code: "task-reference-unknown",
      severity: "error",
      message: 'a#build refers to "^biuld", a task that nobody has',
      where: { ...declaredAt, column: 30, length: 8 },
      facts: [["also in", "2 other tasks of the same entry"]],
      next: 'Did you mean "^build"?',
    },
  ]);
  const elsewhere = modelOf(["@acme/ui", "b"], { "@acme/ui#build": {}, "b#build": { dependsOn: ["@acme/iu#build"] } });
  expect(problemsOf(elsewhere, "b#build").map((each) => each.next)).toEqual(['Did you mean "@acme/ui#build"?']);
});

test("a project in which a task only stands in for others is not among those that have it", () => {
  const model = modelOf(["app", "greeting"], {
    "app#test": { dependsOn: ["^test"] },
    "greeting#test": { command: { kind: "none" }, dependsOn: ["build"] },
    "greeting#build": {},
  });
  expect(withoutStandIns(model).map((each) => each.id)).toEqual(["app#test", "greeting#build"]);
  expect(problemsOf(model, { tasks: ["test"], projects: ["greeting"] })).toMatchObject([
    { code: "task-not-selected", facts: [["it is in", "app"]] },
  ]);
});

test("a request that comes to nothing is a problem, a group of something is none", () => {
  const group = { command: { kind: "none" } as const };
  const declaredAt = { file: "kahn.jsonc", line: 3 };
  const model = modelOf(["a > b", "b"], {
    "a#build": { ...group, dependsOn: ["^build"], declaredAt },
    "b#build": { ...group, dependsOn: ["^build"] },
    "a#all": { ...group, dependsOn: ["lint"] },
    "a#lint": {},
  });
  expect(problemsOf(model, "build")).toMatchObject([
    {
      code: "nothing-to-run",
      message: 'Nothing runs for "build": no script and no "command" is behind it',
      where: declaredAt,
    },
  ]);
  const cause = warning("workspace-empty", "x");
  const empty = { ...model, warnings: [cause] };
  expect([...problemsOf(empty, "build"), ...problemsOf(empty, "tset")]).toMatchObject([{ cause }, { cause }]);
  const part = problemsOf(model, { tasks: ["build"], projects: ["b"] });
  expect(part[0]!.message).toContain('Nothing runs for "build" in the selected projects: ');
  expect(problemsOf(model, "all")).toEqual([]);
  expect(planned(model, { tasks: [] })).toEqual([]);
});

test("a task that only other projects have is left out of a shared list", () => {
  const model = modelOf(["a", "b"], { "a#test": { dependsOn: ["build"] }, "b#build": {} });
  expect(edges(planned(model, "test"))).toEqual(["a#test:"]);
});

test("a ring names all of its tasks in order, with their places", () => {
  const at = (line: number) => ({ declaredAt: { file: "kahn.jsonc", line } });
  const model = modelOf(["a"], {
    "a#x": { dependsOn: ["y"], ...at(1) },
    "a#y": { after: ["z"], ...at(2) },
    "a#z": { dependsOn: ["x"], ...at(3) },
    "a#w": { dependsOn: ["x"], ...at(4) },
  });
  const [problem, ...more] = problemsOf(model, { tasks: ["w", "z"] });
  expect(more).toEqual([]);
  expect(problem).toMatchObject({
    code: "task-cycle",
    message: "Tasks wait for each other in a ring: a#x → a#y → a#z → a#x",
    facts: [
      ["a#x", "waits for a#y (kahn.jsonc:1)"],
      ["a#y", "waits for a#z (kahn.jsonc:2)"],
      ["a#z", "waits for a#x (kahn.jsonc:3)"],
    ],
  });
});

test("one literal output of two tasks is an error, overlapping globs are not", () => {
  const model = modelOf(["a", "//"], {
    "a#x": { outputs: ["out.txt"] },
    "//#y": { outputs: ["packages/a/out.txt"] },
    "a#z": { outputs: ["dist/**"] },
    "//#w": { outputs: ["/packages/a/dist/**"] },
  });
  expect(problemsOf(model, { tasks: ["z", "w", "x"] })).toEqual([]);
  const [problem] = problemsOf(model, { tasks: ["x", "y"] });
  expect(problem).toMatchObject({
    code: "output-claimed-twice",
    message: "//#y and a#x both declare the output packages/a/out.txt",
  });
});

test("inputs that take in a task's own output folder are an error before the first run", () => {
  const codes = (inputs: string[], outputs: string[]) =>
    problemsOf(modelOf(["a"], { "a#x": { inputs, outputs } }), "x").map((each) => [each.code, each.next]);
  const next = 'Add "!dist" to its inputs, or leave them out: the default inputs hold no outputs.';
  expect(codes(["**"], ["dist/**"])).toEqual([["input-is-output", next]]);
  expect(codes(["src", "dist"], ["dist/**"])).toEqual([["input-is-output", next]]);
  expect(codes(["**", "!dist"], ["dist/**"])).toEqual([]);
  expect(codes(["$default"], ["dist/**"])).toEqual([]);
  expect(codes(["src/**"], ["src-out/**", "out.txt"])).toEqual([]);
});

// Goal: P13 for the graph. Method: random projects, dependencies and task tables; a shuffled model gives the same plan.
test("the order of declarations changes nothing", () => {
  const names = ["a", "b", "c", "d", "e"];
  const references = ["build", "^build", "^test", "gen", "a#build", "c#gen"];
  const tasks = fc.dictionary(
    fc
      .tuple(fc.constantFrom(...names), fc.constantFrom("build", "test", "gen"))
      .map(([owner, name]) => `${owner}#${name}`),
    fc.record({
      dependsOn: fc.uniqueArray(fc.constantFrom(...references), { maxLength: 3 }),
      after: fc.uniqueArray(fc.constantFrom(...references), { maxLength: 2 }),
      validates: fc.uniqueArray(fc.constantFrom(...references), { maxLength: 1 }),
    }),
    { maxKeys: 10 },
  );
  const uses = fc.array(fc.uniqueArray(fc.constantFrom(...names), { maxLength: 3 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(uses, tasks, fc.infiniteStream(fc.nat()), (dependencies, table, order) => {
      const owners = names.map((name, at) =>
        project(name, `packages/${name}`, dependencies[at]!.filter((each) => each !== name).sort()),
      );
      const definitions = Object.entries(table).map(([id, fields]) => {
        const [owner, name] = id.split("#");
        return task(owners.find((each) => each.name === owner)!, name!, fields);
      });
      const shuffled = <T>(list: readonly T[]) =>
        list
          .map((each) => [order.next().value, each] as const)
          .sort(([left], [right]) => left - right)
          .map(([, each]) => each);
      const request = { tasks: ["build"] };
      const show = (model: WorkspaceModel) => {
        const plan = planTasks(model, request);
        if (!plan.ok) return plan.problem.map((each) => each.message).sort();
        return plan.value.map((each) => ({ ...each, task: each.task.id, project: each.project.name }));
      };
      const one = workspace("/w", owners, { tasks: definitions });
      const other = workspace("/w", shuffled(owners), { tasks: shuffled(definitions) });
      expect(show(other)).toEqual(show(one));
      const ids = new Set<TaskId>();
      const plan = planTasks(one, request);
      for (const each of plan.ok ? plan.value : []) {
        expect(ids.has(each.task.id)).toBe(false);
        ids.add(each.task.id);
      }
      for (const each of plan.ok ? plan.value : []) for (const id of each.requires) expect(ids.has(id)).toBe(true);
    }),
    { numRuns: 300 * SCALE },
  );
});
