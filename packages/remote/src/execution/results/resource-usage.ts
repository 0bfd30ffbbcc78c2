/**
 * What a command used, as auxiliary metadata of its result.
 *
 * Source: REAPI has no message for it; `POSIXResourceUsage` of Buildbarn is the one that viewers know.
 */
import type { ResourceUse } from "@kahn/exec";
import { durationMessage } from "../../proto/core-messages.ts";
import type { Any } from "../../proto/generated/any.ts";
import { Duration } from "../../proto/generated/duration.ts";

/** The type of the message in the `Any`. */
export const RESOURCE_USAGE = "buildbarn.resourceusage.POSIXResourceUsage";

const USER_TIME = 0x0a;
const SYSTEM_TIME = 0x12;

/** The auxiliary metadata of a run: one message, or none where nothing is known. */
export function auxiliaryMetadata({ userMs, systemMs }: ResourceUse): readonly Any[] {
  if (userMs === undefined && systemMs === undefined) return [];
  const value = Buffer.concat([timeField(USER_TIME, userMs), timeField(SYSTEM_TIME, systemMs)]);
  return [{ typeUrl: `type.googleapis.com/${RESOURCE_USAGE}`, value }];
}

/** A field with a duration, which has never more than 20 bytes. */
function timeField(tag: number, timeMs: number | undefined): Buffer {
  if (timeMs === undefined) return Buffer.alloc(0);
  const bytes = Duration.encode(durationMessage(timeMs));
  return Buffer.concat([Buffer.of(tag, bytes.length), bytes]);
}
