/** The contract of `ActionProvider`: what holds of any graph it gives, whatever the graph is about. */
import assert from "node:assert/strict";
import type { ActionProvider, PlannedNode, ResolvedAction } from "@kahn/core";
import type { ContractCase, ContractSubject, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";

/** A provider under test, over a graph of at least two nodes, with at least one edge. */
export interface ActionProviderSubject extends ContractSubject {
  readonly provider: ActionProvider;
  /** Edits an input of the action with this label and answers with its workspace-relative path, where that can be done. */
  readonly editInput?: (label: string) => string | Promise<string>;
  /** Makes what running the action would have made, so that what requires it can be resolved; default: nothing. */
  readonly pretendRun?: (action: ResolvedAction) => void | Promise<void>;
}

async function planned(provider: ActionProvider): Promise<readonly PlannedNode[]> {
  const plan = await provider.plan();
  assert.ok(plan.ok, plan.ok ? "" : plan.problem.map(({ message }) => message).join("; "));
  return plan.value;
}

/** Labels so that each comes after all that it requires; fails on a cycle. */
function inOrder(nodes: readonly PlannedNode[]): string[] {
  const byLabel = new Map(nodes.map((node) => [node.label, node]));
  const state = new Map<string, "open" | "done">();
  const order: string[] = [];
  const visit = (label: string) => {
    assert.notEqual(state.get(label), "open", `${label} requires itself`);
    if (state.has(label)) return;
    state.set(label, "open");
    const node = byLabel.get(label)!;
    for (const before of [...node.requires, ...node.after]) visit(before);
    state.set(label, "done");
    order.push(label);
  };
  for (const { label } of nodes) visit(label);
  return order;
}

/** Resolves every node after all that it requires has been "run". */
async function resolved({ provider, pretendRun }: ActionProviderSubject): Promise<ResolvedAction[]> {
  const actions: ResolvedAction[] = [];
  for (const label of inOrder(await planned(provider))) {
    const action = await provider.resolve(label);
    assert.ok(action.ok, action.ok ? "" : `${label}: ${action.problem.message}`);
    actions.push(action.value);
    await pretendRun?.(action.value);
  }
  return actions;
}

/** What of an action decides about its key, without the functions. */
function keyed({ command, inputs, parts, contributions, isolation }: ResolvedAction): unknown {
  return { command, inputs, parts, contributions, isolation };
}

function assertSortedOnce(names: readonly string[], what: string): void {
  for (let index = 1; index < names.length; index++) {
    const [one, two] = [Buffer.from(names[index - 1]!), Buffer.from(names[index]!)];
    assert.ok(one.compare(two) < 0, `${what}: ${names[index - 1]} before ${names[index]}`);
  }
}

/** The cases for a provider. */
export function actionProviderContract(make: MakeSubject<ActionProviderSubject>): readonly ContractCase[] {
  return contractCases<ActionProviderSubject>(make, {
    "every node has a label of its own, and edges name other planned nodes": async ({ provider }) => {
      const nodes = await planned(provider);
      const labels = new Set(nodes.map(({ label }) => label));
      assert.ok(nodes.length >= 2);
      assert.equal(labels.size, nodes.length);
      for (const { label, requires, after, validates } of nodes) {
        for (const other of [...requires, ...after, ...validates]) {
          assert.ok(labels.has(other) && other !== label, `${label} → ${other}`);
        }
      }
      assert.ok(nodes.some(({ requires }) => requires.length > 0));
    },
    "the plan has no cycle": async ({ provider }) => {
      const nodes = await planned(provider);
      assert.equal(inOrder(nodes).length, nodes.length);
    },
    "planning again gives the same plan": async ({ provider }) => {
      assert.deepEqual(await planned(provider), await planned(provider));
    },
    "claims are amounts that can be taken": async ({ provider }) => {
      for (const { label, claim } of await planned(provider)) {
        const amounts = [claim.slots, ...claim.pools.map(([, amount]) => amount)];
        assert.ok(
          amounts.every((amount) => Number.isFinite(amount) && amount >= 0),
          label,
        );
        assert.equal(new Set(claim.mutexes.map(({ name }) => name)).size, claim.mutexes.length, label);
      }
    },
    "each node is resolved once what it requires is done, under its own label": async (subject) => {
      const labels = inOrder(await planned(subject.provider));
      assert.deepEqual(
        (await resolved(subject)).map(({ label }) => label),
        labels,
      );
    },
    "inputs are sorted by path, each path once, and stay inside": async (subject) => {
      for (const { label, inputs } of await resolved(subject)) {
        assertSortedOnce(
          inputs.map(({ path }) => path),
          label,
        );
        for (const { path } of inputs) assert.ok(!path.startsWith("/") && !path.split("/").includes(".."), path);
      }
    },
    "the command is in canonical form, and its directory is relative to the input root": async (subject) => {
      for (const { label, command } of await resolved(subject)) {
        assertSortedOnce(
          command.environment.map(({ name }) => name),
          `${label}: environment`,
        );
        assertSortedOnce(command.outputPaths, `${label}: output paths`);
        assert.ok(!command.workingDirectory.startsWith("/"), label);
        assert.ok(command.arguments.length > 0, label);
      }
    },
    "output roots are sorted, none inside another": async (subject) => {
      for (const { label, outputs } of await resolved(subject)) {
        assertSortedOnce(outputs.roots, label);
        for (const [index, root] of outputs.roots.entries()) {
          assert.ok(!outputs.roots[index + 1]?.startsWith(`${root}/`), `${label}: ${outputs.roots}`);
        }
      }
    },
    "what is run here has an absolute directory and at least one attempt": async (subject) => {
      for (const { label, run, outputs } of await resolved(subject)) {
        assert.ok(run.cwd.startsWith("/") && outputs.workspaceRoot.startsWith("/"), label);
        assert.ok(run.attemptsMax >= 1 && run.graceMs >= 0 && run.argv.length > 0, label);
      }
    },
    "an action that is not cacheable says why": async (subject) => {
      for (const { label, cacheable, uncachedBecause } of await resolved(subject)) {
        assert.ok(cacheable || (uncachedBecause ?? "") !== "", label);
      }
    },
    "resolving again gives the same key": async (subject) => {
      const first = await resolved(subject);
      const again = await resolved(subject);
      assert.deepEqual(again.map(keyed), first.map(keyed));
    },
    "no input has changed until one is edited, and then it is named": async (subject) => {
      const actions = await resolved(subject);
      for (const action of actions) assert.deepEqual(action.changedInputs(), [], action.label);
      if (subject.editInput === undefined) return;
      const { label } = actions.find(({ inputs }) => inputs.length > 0)!;
      const edited = await subject.editInput(label);
      assert.deepEqual(actions.find((action) => action.label === label)!.changedInputs(), [edited]);
    },
    "a label that was never planned is a problem, not a crash": async ({ provider }) => {
      await planned(provider);
      const action = await provider.resolve("no such package#no such task").catch(() => undefined);
      // A bug may throw; what must not come is an action.
      assert.ok(action === undefined || !action.ok);
    },
  });
}
