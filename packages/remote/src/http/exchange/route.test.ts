import fc from "fast-check";
import { expect, test } from "vitest";
import { routeOf } from "./route.ts";

const SCALE = Number(process.env.KAHN_TEST_SCALE ?? 1);
const HASH = "0123456789abcdef".repeat(4);

test("each protocol is told by its own path, whatever instance stands before it", () => {
  const cases: readonly (readonly [path: string, route: object])[] = [
    ["/status", { kind: "unknown" }],
    ["/metrics", { kind: "unknown" }],
    [`/cas/${HASH}`, { kind: "blob", instance: "", fn: "sha256", hash: HASH }],
    [`/bazel/cas/${HASH}`, { kind: "blob", instance: "bazel", fn: "sha256", hash: HASH }],
    [`/a//b/ac/${HASH.toUpperCase()}`, { kind: "action-result", instance: "a/b", fn: "sha256", hash: HASH }],
    [`/ccache/ac/${HASH}`, { kind: "action-result", instance: "ccache", fn: "sha256", hash: HASH }],
    [`/x/ac/${HASH.slice(24)}`, { kind: "action-result", instance: "x", fn: "sha1", hash: HASH.slice(24) }],
    [`/blake3/cas/${HASH}`, { kind: "blob", instance: "", fn: "blake3", hash: HASH }],
    [`/a/b/blake3/ac/${HASH}`, { kind: "action-result", instance: "a/b", fn: "blake3", hash: HASH }],
    [`/a/cas/blake3/${HASH}`, { kind: "blob", instance: "a", fn: "blake3", hash: HASH }],
    [`/cas/sha256/${HASH}`, { kind: "blob", instance: "", fn: "sha256", hash: HASH }],
    [`/cas/sha1/${HASH}`, { kind: "unknown" }],
    [`/sha1/cas/${HASH}`, { kind: "blob", instance: "sha1", fn: "sha256", hash: HASH }],
    [
      `/ccache/cas/${HASH.slice(32)}`,
      { kind: "value", instance: "ccache", name: `cas/${HASH.slice(32)}`, isCollection: false },
    ],
    ["/v8/artifacts/status", { kind: "turborepo", instance: "", call: { kind: "status" } }],
    ["/v8/artifacts/events", { kind: "turborepo", instance: "", call: { kind: "events" } }],
    ["/v8/artifacts", { kind: "turborepo", instance: "", call: { kind: "query" } }],
    ["/t/v8/artifacts/12ab", { kind: "turborepo", instance: "t", call: { kind: "artifact", hash: "12ab" } }],
    ["/v1/cache/18446744073709551615", { kind: "nx", instance: "", key: "18446744073709551615" }],
    ["/a/b/v1/cache/7", { kind: "nx", instance: "a/b", key: "7" }],
    ["/cache/00ff", { kind: "gradle", instance: "", key: "00ff" }],
    ["/ccache/ab/cdef", { kind: "value", instance: "ccache", name: "ab/cdef", isCollection: false }],
    ["/ccache/ac/short", { kind: "value", instance: "ccache", name: "ac/short", isCollection: false }],
    ["/t/sccache/a/b/", { kind: "value", instance: "t/sccache", name: "a/b", isCollection: true }],
    ["/webdav/cache/x", { kind: "value", instance: "webdav", name: "cache/x", isCollection: false }],
    [
      "/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry",
      { kind: "actions-call", method: "CreateCacheEntry" },
    ],
    ["/_actions/caches/abc", { kind: "actions-blob", token: "abc" }],
    ["/", { kind: "unknown" }],
    ["/favicon.ico", { kind: "unknown" }],
    [`/blobs/${HASH}`, { kind: "unknown" }],
  ];
  for (const [path, route] of cases) expect([path, routeOf(path)]).toEqual([path, route]);
});

test("paths that could mean something else to somebody else are malformed", () => {
  const paths = [
    `/x/cas/${HASH.slice(32)}`,
    `/md5/ac/${HASH.slice(32)}`,
    `/../cas/${HASH}`,
    `/a/%2e%2e/cas/${HASH}`,
    `/a%2fb/cas/${HASH}`,
    `/a%5Cb/cas/${HASH}`,
    `/a%00/cas/${HASH}`,
    `/a%0d%0aset-cookie/cas/${HASH}`,
    "/v1/cache/%ff",
    `/${"a/".repeat(3000)}cas/${HASH}`,
    "/v1/cache/a%20b",
    "/v8/artifacts/%3Cscript%3E",
  ];
  for (const path of paths) expect([path, routeOf(path).kind]).toEqual([path, "malformed"]);
});

// Goal: no path throws, and nothing that comes out can lead anywhere. Method: paths of the words that mean something,
// between pieces that should not be there.
test("whatever the path, what comes out of it has no segment that leads out", () => {
  const words = ["ac", "cas", "v8", "artifacts", "v1", "cache", "ccache", "webdav", "twirp", "_actions", "caches"];
  const nasty = ["..", ".", "%2e%2e", "%2f", "%5c", "\\", "%00", "%", "%zz", "", "\n", "é", "__proto__", HASH];
  const segment = fc.oneof(fc.constantFrom(...words, ...nasty), fc.string({ maxLength: 5 }), fc.constant(HASH));
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 7 }), fc.boolean(), (segments, isAbsolute) => {
      const route = routeOf((isAbsolute ? "/" : "") + segments.join("/"));
      const texts = ["instance", "name", "key", "hash", "token", "method"].map(
        (field) => (route as unknown as Record<string, string | undefined>)[field] ?? "",
      );
      expect(texts.filter((text) => /[\\\0\n]|\/\/|^\/|\/$|(^|\/)\.\.?(\/|$)/.test(text))).toEqual([]);
    }),
    { numRuns: 2000 * SCALE },
  );
});
