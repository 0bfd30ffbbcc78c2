/**
 * The action cache of a REAPI server as an `ActionCache`.
 *
 * Invariant: a result that is not well formed is a miss; a server that takes no results is not sent any.
 * Note:      whether the blobs of a hit are there is not asked here: whoever uses it looks for them at once.
 */
import type { ActionCache, ActionResult, CacheLookup, Digest, Result, StoreProblem } from "@kahn/core";
import { err, ok } from "@kahn/core";
import { methodOf, StatusCode } from "../../grpc/index.ts";
import { digestFunctionNumber } from "../../names/digest-function.ts";
import { digestMessage } from "../../names/request-digest.ts";
import { actionResultMessage, messageActionResult } from "../../proto/core-messages.ts";
import { ActionCacheMethods } from "../../proto/generated/remote-execution.ts";
import { remoteProblem, sendingProblem } from "../calls/call-trouble.ts";
import type { RemoteServer } from "../calls/remote-server.ts";

const GET = methodOf("unary", ActionCacheMethods.getActionResult);
const UPDATE = methodOf("unary", ActionCacheMethods.updateActionResult);

/** The action cache of a server. `forget` has no effect: REAPI cannot. */
export function remoteActions(server: RemoteServer): ActionCache {
  const named = (action: Digest) => ({
    instanceName: server.instance,
    actionDigest: digestMessage(action),
    digestFunction: digestFunctionNumber(server.digestFunction),
  });
  return {
    lookup: async (action): Promise<Result<CacheLookup, StoreProblem>> => {
      const features = await server.features();
      if (!features.ok) return err(remoteProblem(server, features.problem));
      const answer = await server.unary(GET, named(action));
      if (!answer.ok) {
        if (answer.problem.code === StatusCode.notFound) return ok({ kind: "miss", reason: "no-entry" });
        return err(remoteProblem(server, answer.problem));
      }
      const result = messageActionResult(answer.value, server.digestFunction);
      if (!result.ok) return ok({ kind: "miss", reason: "corrupt-entry" });
      return ok({ kind: "hit", result: withDigestsOnly(result.value) });
    },
    record: async (action, result) => {
      const features = await server.features();
      if (!features.ok) return err(remoteProblem(server, features.problem));
      if (!features.value.mayUpdateActions) return ok(undefined);
      const answer = await server.unary(UPDATE, { ...named(action), actionResult: actionResultMessage(result) });
      return answer.ok ? ok(undefined) : err(sendingProblem(server, answer.problem));
    },
    forget: async () => ok(undefined),
  };
}

/** Servers may put streams into the result although nobody asked: bytes beside a digest are worth nothing unverified. */
function withDigestsOnly(result: ActionResult): ActionResult {
  const { stdoutRaw, stderrRaw, ...rest } = result;
  return {
    ...rest,
    ...(stdoutRaw === undefined || result.stdout !== undefined ? {} : { stdoutRaw }),
    ...(stderrRaw === undefined || result.stderr !== undefined ? {} : { stderrRaw }),
  };
}
