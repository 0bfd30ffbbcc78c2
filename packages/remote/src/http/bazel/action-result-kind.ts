/**
 * Whether bytes at `/ac/` are an action result: ccache and others keep bodies of their own there.
 *
 * Method: an encoded ActionResult has fields 1 to 12 with their wire types and no groups, and holds what core can decode.
 *         Magic numbers of archives, of ccache ("cCaC") and of zstd, text and JSON all fail one of these.
 */
import type { DigestFunction } from "@kahn/core";
import { decodeActionResult } from "@kahn/core";
import { StatusError } from "../../grpc/index.ts";
import { DecodeError } from "../../proto/decode-error.ts";
import { ActionResult } from "../../proto/generated/remote-execution.ts";
import { WireReader } from "../../proto/wire-reader.ts";
import { checkedActionResult } from "../../reapi/actions/action-result-check.ts";
import { HttpRefusal } from "../exchange/http-refusal.ts";

/** Field 4 is the exit code; all others have a length before them. */
const EXIT_CODE_TAG = (4 << 3) | 0;
const LAST_FIELD = 12;

/** What binary bytes are. The empty ActionResult has no bytes. */
export function binaryKind(bytes: Uint8Array, fn: DigestFunction): "action-result" | "opaque" {
  return looksRight(bytes) && isDecodable(bytes) && decodeActionResult(bytes, fn).ok ? "action-result" : "opaque";
}

/** @throws HttpRefusal for an action result that no client could restore from. */
export function refuseUnfit(bytes: Uint8Array, fn: DigestFunction): void {
  try {
    checkedActionResult(bytes, fn);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    throw new HttpRefusal("malformed", error.message);
  }
}

function looksRight(bytes: Uint8Array): boolean {
  try {
    const reader = new WireReader(bytes);
    for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
      const isLengthed = (tag & 7) === 2;
      if (tag >>> 3 <= LAST_FIELD ? !isLengthed && tag !== EXIT_CODE_TAG : (tag & 7) === 3) return false;
      if (tag >>> 3 === 4 && isLengthed) return false;
      reader.skip();
    }
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

function isDecodable(bytes: Uint8Array): boolean {
  try {
    ActionResult.decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}
