/** The state at the start of a graph: what its keys begin with, and what it is given. */
import type { Json, Problem, Result } from "@kahn/core";
import { closestName, err, ok, problem } from "@kahn/core";
import { heldValue } from "../../definition/reducers.ts";
import type { StateSchema } from "../../definition/state.ts";
import type { ValueCodec } from "./values.ts";

/** Encodes identities and input; every wrong key at once. */
export function initialState(
  schema: StateSchema,
  input: unknown,
  codec: ValueCodec,
): Result<Readonly<Record<string, Json>>, Problem> {
  const given = (typeof input === "object" && input !== null ? input : {}) as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(schema.keys, key));
  if (unknown.length > 0) return err(unknownInput(schema, unknown));
  const state: Record<string, Json> = {};
  for (const [key, { identity, reducer }] of Object.entries(schema.keys)) {
    const value = given[key] === undefined ? identity : given[key];
    if (value === undefined) continue;
    const held = given[key] === undefined ? ok(value) : heldValue(key, reducer, value);
    if (!held.ok) return err({ ...held.problem, message: `the input has a wrong value: ${held.problem.message}` });
    const encoded = codec.encode(value);
    if (!encoded.ok) return err({ ...encoded.problem, message: `the input "${key}": ${encoded.problem.message}` });
    state[key] = encoded.value;
  }
  return ok(state);
}

function unknownInput(schema: StateSchema, keys: readonly string[]): Problem {
  const near = closestName(keys[0]!, Object.keys(schema.keys));
  return problem("flow-key-unknown", `the input has keys that the state does not have: ${keys.join(", ")}`, {
    next: near === undefined ? "Declare them in the state, or leave them out." : `Did you mean "${near}"?`,
  });
}
