/**
 * Which protocol a path belongs to. One port serves them all, so paths alone tell them apart.
 *
 * Method:    what comes before a protocol's own path is the instance name, for all of them; see `SERVED`.
 * Invariant: no segment of what comes out is empty, `.` or `..`, or holds a slash, a backslash or a control character.
 */
import type { DigestFunction } from "@kahn/core";
import { HEX_LENGTH, isDigestFunction } from "@kahn/core";

/** What a path asks for. */
export type Route =
  | { readonly kind: "blob"; readonly instance: string; readonly fn: DigestFunction; readonly hash: string }
  | { readonly kind: "action-result"; readonly instance: string; readonly fn: DigestFunction; readonly hash: string }
  | { readonly kind: "turborepo"; readonly instance: string; readonly call: TurborepoCall }
  | { readonly kind: "nx"; readonly instance: string; readonly key: string }
  | { readonly kind: "gradle"; readonly instance: string; readonly key: string }
  | ValueRoute
  | { readonly kind: "actions-call"; readonly method: string }
  | { readonly kind: "actions-blob"; readonly token: string }
  | { readonly kind: "unknown" }
  | { readonly kind: "malformed"; readonly message: string };

/** A call of Turborepo's API. */
export type TurborepoCall =
  | { readonly kind: "status" }
  | { readonly kind: "events" }
  | { readonly kind: "query" }
  | { readonly kind: "artifact"; readonly hash: string };

/** A value of ccache (flat or in folders), or of a WebDAV client such as sccache. An empty name is the root. */
export interface ValueRoute {
  readonly kind: "value";
  readonly instance: string;
  readonly name: string;
  /** The path ended with a slash: what WebDAV calls a collection. */
  readonly isCollection: boolean;
}

/** What is served where, for people who come to a path that is not. */
export const SERVED: readonly { readonly path: string; readonly protocol: string }[] = [
  {
    path: "/{instance}/ac/{hash}, /{instance}/cas/{hash}",
    protocol: "Bazel HTTP cache, moon, ccache with layout=bazel; for BLAKE3 /{instance}/blake3/cas/{hash}",
  },
  { path: "/{instance}/v8/artifacts", protocol: "Turborepo: TURBO_API is the address without /v8" },
  {
    path: "/{instance}/v1/cache/{hash}",
    protocol: "Nx: NX_SELF_HOSTED_REMOTE_CACHE_SERVER is the address without /v1",
  },
  { path: "/{instance}/ccache/{key}", protocol: "ccache, layouts flat and subdirs" },
  { path: "/{instance}/sccache/{key}", protocol: "sccache: SCCACHE_WEBDAV_ENDPOINT; also /webdav/" },
  { path: "/{instance}/cache/{key}", protocol: "Gradle HTTP build cache" },
  { path: "/twirp/github.actions.results.api.v1.CacheService/", protocol: "GitHub Actions cache service v2" },
  { path: "/status, /healthz, /readyz, /metrics", protocol: "health and numbers of this server" },
];

/** Longer paths are refused unread. */
const PATH_MAX = 4096;

const MOUNTS: ReadonlySet<string> = new Set(["ccache", "sccache", "webdav"]);

const TWIRP_SERVICE = "github.actions.results.api.v1.CacheService";

/** Where blobs of GitHub Actions are sent and fetched: three segments, or Azure's client finds no blob in it. */
export const ACTIONS_BLOBS = "/_actions/caches/";

/** Hashes name their function by their length, unless a segment does, for BLAKE3: `/blake3/cas/HASH`. */
const FUNCTIONS: Readonly<Record<number, DigestFunction>> = { 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512" };

const KEY = /^[\w.-]{1,200}$/;

const UNKNOWN: Route = { kind: "unknown" };

/** @param path of a request, without its query; as it came, still encoded. */
export function routeOf(path: string): Route {
  if (path.length > PATH_MAX) return malformed("the path is too long");
  const segments = segmentsOf(path);
  if (typeof segments === "string") return malformed(segments);
  return knownRoute(segments) ?? valueRoute(segments, path.endsWith("/")) ?? UNKNOWN;
}

function knownRoute(segments: readonly string[]): Route | undefined {
  const [word = "", key = ""] = segments.slice(-2);
  const before = segments.at(-3);
  const hashed = hashedRoute(segments);
  if (hashed !== undefined) return hashed;
  if (before === "v1" && word === "cache") return nxRoute(segments, key);
  if (before === "v8" && word === "artifacts") return turborepoRoute(segments, key);
  if (word === "v8" && key === "artifacts") {
    return { kind: "turborepo", instance: instanceOf(segments, 2), call: { kind: "query" } };
  }
  if (segments.length === 3 && segments[0] === "twirp" && word === TWIRP_SERVICE) {
    return { kind: "actions-call", method: key };
  }
  if (segments.length === 3 && segments[0] === "_actions" && word === "caches") {
    return { kind: "actions-blob", token: key };
  }
  if (word === "cache" && !segments.some((segment) => MOUNTS.has(segment))) {
    if (!KEY.test(key)) return malformed("a key of Gradle is letters and digits");
    return { kind: "gradle", instance: instanceOf(segments, 2), key };
  }
  return undefined;
}

/**
 * Bazel's paths. Bazel itself names no digest function in them, but its address may end with one, and others write it as
 * REAPI does, behind `cas`. That segment is not part of the instance's name: contents are those of gRPC.
 */
function hashedRoute(segments: readonly string[]): Route | undefined {
  const [third, second, last = ""] = [segments.at(-3), segments.at(-2), segments.at(-1)];
  const hash = last.toLowerCase();
  if (!/^[0-9a-f]{32,}$/.test(hash)) return undefined;
  const isBehind = isFolder(third) && second !== undefined && isDigestFunction(second);
  const word = isBehind ? third : second;
  if (!isFolder(word)) return undefined;
  const named = isBehind ? second : third;
  const isNamed = named !== undefined && isDigestFunction(named) && HEX_LENGTH[named] === hash.length;
  const fn = isNamed ? named : FUNCTIONS[hash.length];
  if (fn === "md5" || (word === "cas" && hash.length === HEX_LENGTH.md5 && !segments.some((it) => MOUNTS.has(it)))) {
    return malformed("MD5 is no name for content: use --digest_function=SHA256 or BLAKE3");
  }
  // Of another length it may be a value of ccache, in a folder that happens to be called so.
  if (fn === undefined || (isBehind && !isNamed)) return undefined;
  return {
    kind: word === "cas" ? "blob" : "action-result",
    instance: instanceOf(segments, isNamed ? 3 : 2),
    fn,
    hash,
  };
}

function isFolder(segment: string | undefined): segment is "ac" | "cas" {
  return segment === "ac" || segment === "cas";
}

function nxRoute(segments: readonly string[], key: string): Route {
  // Decimal in fact; other clients of this protocol use other texts.
  if (!KEY.test(key)) return malformed("a hash of Nx is letters and digits");
  return { kind: "nx", instance: instanceOf(segments, 3), key };
}

function turborepoRoute(segments: readonly string[], key: string): Route {
  const instance = instanceOf(segments, 3);
  if (key === "status" || key === "events") return { kind: "turborepo", instance, call: { kind: key } };
  if (!KEY.test(key)) return malformed("a hash of Turborepo is letters and digits");
  return { kind: "turborepo", instance, call: { kind: "artifact", hash: key } };
}

function valueRoute(segments: readonly string[], isCollection: boolean): Route | undefined {
  const at = segments.findIndex((segment) => MOUNTS.has(segment));
  if (at === -1) return undefined;
  const instance = segments.slice(0, at + 1).join("/");
  return { kind: "value", instance, name: segments.slice(at + 1).join("/"), isCollection };
}

function instanceOf(segments: readonly string[], own: number): string {
  return segments.slice(0, segments.length - own).join("/");
}

/** The segments of a path, or what is wrong with it. Empty ones do not count: prefixes often end with a slash. */
function segmentsOf(path: string): readonly string[] | string {
  let decoded = path;
  const isEncoded = path.includes("%");
  const segments: string[] = [];
  for (const raw of path.split("/")) {
    if (raw === "") continue;
    if (isEncoded) {
      try {
        decoded = decodeURIComponent(raw);
      } catch {
        return "the path is not encoded as UTF-8";
      }
    } else {
      decoded = raw;
    }
    if (decoded === "." || decoded === "..") return "the path has a segment of dots";
    if (/[/\\\u0000-\u001f\u007f]/.test(decoded)) return "the path has a character that no path here has";
    segments.push(decoded);
  }
  return segments;
}

function malformed(message: string): Route {
  return { kind: "malformed", message };
}
