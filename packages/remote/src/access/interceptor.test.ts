/** What the interceptor leaves at a call: who calls, and whose share of the calls it is. */
import assert from "node:assert/strict";
import { seededRandom, virtualClock } from "@kahn/testing";
import { test } from "vitest";
import type { CallContext, CallKey, Peer } from "../grpc/index.ts";
import { CALL_SHARE, UNKNOWN_PEER } from "../grpc/index.ts";
import { Authenticator } from "./authenticator.ts";
import { accessInterceptor } from "./interceptor.ts";
import { TokenVerifier } from "./json-web-token.ts";
import { Quotas } from "./quotas.ts";
import { newToken, TokenList } from "./token.ts";

test("calls share by who shows a credential, and by their network where nobody does", () => {
  const clock = virtualClock();
  const { token, hash } = newToken(seededRandom(1));
  const tokens = new TokenList([{ name: "ci", hash, claims: {}, expires: undefined }]);
  const authenticator = new Authenticator({ tokens, passwords: undefined, jwt: new TokenVerifier([]) }, clock);
  const intercept = accessInterceptor({ authenticator, quotas: new Quotas([], clock) });
  const share = (authorization: string | undefined, peer: Partial<Peer>) => {
    const values = new Map<CallKey<unknown>, unknown>();
    const call = {
      path: "/a.B/C",
      metadata: { text: () => authorization },
      peer: { ...UNKNOWN_PEER, ...peer },
      set: (key: CallKey<unknown>, value: unknown) => void values.set(key, value),
    };
    assert.equal(intercept(call as unknown as CallContext), undefined);
    return values.get(CALL_SHARE);
  };
  assert.equal(share(`Bearer ${token}`, { address: "10.0.0.1" }), "token:ci");
  assert.equal(share(undefined, { address: "10.0.0.1" }), "10.0.0.1");
  assert.equal(share(undefined, { address: "2001:db8::1:2" }), share(undefined, { address: "2001:db8::3:4" }));
  assert.equal(share(undefined, { transport: "unix", address: undefined }), "local");
});
