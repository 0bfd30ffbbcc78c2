/**
 * Every setting of a server: its key, its kind, its default, and what it is for.
 *
 * Invariant: this table is the whole configuration. The reference, the names of environment variables and the type
 *            `ServerConfig` are all taken from it.
 */
import type { ListenAddress } from "../port/index.ts";
import { parseListenAddress } from "./listen-address.ts";
import type { Kind, ValueOf } from "./setting-kinds.ts";
import {
  count,
  described,
  duration,
  flag,
  listOf,
  mapOf,
  oneOf,
  optional,
  ratio,
  scalar,
  section,
  size,
  standard,
  text,
} from "./setting-kinds.ts";

/** What may be allowed to a subject. `read`, `write` (with `read`) and `all` stand for several. */
export const RIGHTS = ["cas.read", "cas.write", "ac.read", "ac.write", "exec", "asset", "admin"] as const;

/** A condition over claims: each named claim has one of these values; `*` stands for any text. */
const claims = standard(mapOf(listOf(text)), {});
const right = oneOf("read", "write", "all", ...RIGHTS);
const moment: Kind<number> = scalar('a moment like "2027-01-31T00:00:00Z"', (it) => {
  const atMs = typeof it === "string" ? Date.parse(it) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
});

/** The empty instance has a name, too. */
const instance = scalar("a text", (it) => (typeof it === "string" ? it : undefined));

const address: Kind<ListenAddress> = scalar(
  'an address like "127.0.0.1:9092", ":9092" or "unix:/run/kahn.sock"',
  (it) =>
    typeof it === "string" ? parseListenAddress(it) : typeof it === "number" ? parseListenAddress(`${it}`) : undefined,
);

const folder: Kind<string> = scalar('an absolute path like "/opt/toolchain"', (it) =>
  typeof it === "string" && /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+\/?$/.test(it) ? it.replace(/\/$/, "") : undefined,
);

const rule = section({
  who: described(
    standard(listOf(text), "*"),
    "Subjects: `token:ci`, `user:ann`, `cert:runner`, `jwt:github/*`, `local`; `*`: all with credentials; `anonymous`: those without.",
  ),
  claims: described(claims, "Claims that the subject must have."),
  instances: described(standard(listOf(instance), "*"), 'Instance names; "" is the empty one.'),
  allow: described(standard(listOf(right), []), "What they may do; `write` holds `read`, `all` holds everything."),
  overlay: described(
    optional(text),
    "Results that they write go into this layer, which only its writers read; contents are shared. `pr-{ref}` puts a claim in.",
  ),
});

const token = section({
  name: described(text, "The subject is `token:` and this name."),
  hash: described(
    scalar("a hash like sha256:… with 64 hex digits", (it) =>
      typeof it === "string" && /^sha256:[0-9a-f]{64}$/.test(it) ? it : undefined,
    ),
    "Made by `kahn serve-token`.",
  ),
  claims: described(standard(mapOf(text), {}), "Facts for rules."),
  expires: described(optional(moment), "From when on it is refused."),
});

const issuer = section({
  name: described(text, "The subject is `jwt:`, this name, `/`, and the token's subject."),
  issuer: described(text, "The claim `iss`, exactly."),
  audience: described(listOf(text), "One of these is among the claim `aud`."),
  jwks: described(text, "File with the issuer's public keys (JSON Web Key Set)."),
  claims: described(claims, "Claims without which a token is refused."),
});

const quota = section({
  who: described(
    standard(listOf(text), "*"),
    "Subjects, of which `*` means `anonymous`, too; the first entry that fits one counts.",
  ),
  bytesPerDay: described(optional(size), "Bytes sent by one subject in a day (UTC)."),
  executions: described(optional(count(1)), "Actions of one subject at once."),
});

const store = section({
  maxSize: described(standard(size, "50GB"), "Largest size of the store; what was not used for longest goes first."),
  maxBlob: described(standard(size, "4GiB"), "Largest blob that is taken; never more than maxSize."),
  durability: described(
    standard(oneOf("strict", "batched", "none"), "batched"),
    "Before an upload is acknowledged: flushed by itself (strict), flushed with others, or left to the system (none).",
  ),
  memory: described(
    standard(size, "256MiB"),
    "Memory for blobs that are asked for again; one larger than half of it is always read from the disk.",
  ),
});

const tls = optional(
  section({
    certificate: described(text, "File: the certificate with its chain, PEM."),
    key: described(text, "File: its key, PEM."),
    clientAuthorities: described(optional(text), "File: authorities that vouch for clients, PEM."),
    clientCertificate: described(
      standard(oneOf("none", "verify-if-given", "require"), "none"),
      "Whether clients are asked for a certificate; verify-if-given: who has none may come all the same.",
    ),
  }),
);

const access = section({
  insecure: described(standard(flag, false), "Allows a server without authentication to be reached from a network."),
  anonymous: described(
    optional(oneOf("none", "read", "all")),
    "What everybody may do whom no rule allows more. Default: all without authentication and rules, else none.",
  ),
  tokens: described(standard(listOf(token), []), "Bearer tokens, by their hashes."),
  htpasswd: described(optional(text), "File of names and password hashes (bcrypt, SHA, apr1)."),
  issuers: described(standard(listOf(issuer), []), "Who may sign JSON Web Tokens (OIDC)."),
  rules: described(
    standard(listOf(rule), []),
    "The first rule that fits and allows decides; then `anonymous`. No rules: who is known may do all but admin.",
  ),
  quotas: described(standard(listOf(quota), []), "Bounds for each subject."),
  signingKey: described(optional(text), "File: ed25519 key, PEM; results in shared layers are signed with it."),
  trustedKeys: described(
    standard(listOf(text), []),
    "Files: ed25519 public keys, PEM; results of shared layers that none of them signed are not given out.",
  ),
});

const execution = section({
  enabled: described(standard(flag, true), "Runs actions for those with the right `exec`."),
  slots: described(standard(count(0), 0), "Actions at once; 0: one for each processor."),
  queueMax: described(standard(count(1), 10_000), "Actions that may wait."),
  timeout: described(standard(duration, "15m"), "For actions that ask for none."),
  timeoutMax: described(standard(duration, "24h"), "An action that asks for more is refused."),
  sandbox: described(
    standard(oneOf("off", "auto", "enforce"), "auto"),
    "auto: bubblewrap where it works; enforce: the server does not start where it does not work; off: none.",
  ),
  maxDisk: described(
    optional(size),
    "What one action may take of the disk beside its inputs; one that takes more is ended. Default: a quarter of store.maxSize.",
  ),
  network: described(standard(flag, false), "Lets sandboxed actions open connections."),
  readable: described(
    standard(listOf(folder), []),
    "Paths beside those of the system that sandboxed actions may read, such as /opt/toolchain; nothing of them can be changed.",
  ),
  workers: section({
    enabled: described(standard(flag, true), "Runs actions that ask for one on persistent workers."),
    max: described(standard(count(0), 0), "Persistent workers at once; 0: one for each slot."),
    idle: described(standard(duration, "5m"), "One that had nothing to do for so long is ended."),
    maxMemory: described(optional(size), "One that has more memory after a piece of work is replaced."),
  }),
});

const results = section({
  strict: described(standard(flag, false), "Takes a result only of an action that is stored here, with its command."),
  failures: described(standard(flag, false), "Keeps results with another exit code than 0, sent or made here."),
});

const telemetry = section({
  accessLog: described(standard(text, "none"), "none, `-` for the standard output, or a file: one JSON line a call."),
  openMetrics: described(standard(flag, false), "Shows /metrics to callers without the right `admin`."),
  traces: described(optional(text), "URL of an OTLP/HTTP collector, such as http://127.0.0.1:4318/v1/traces."),
  traceRatio: described(standard(ratio, 1), "Part of the calls without a trace of their own that are traced."),
});

const drain = section({
  announce: described(standard(duration, 0), "How long it says that it is going before it stops taking calls."),
  grace: described(
    standard(duration, "25s"),
    "How long running actions may take to finish, their clients to fetch what they made, and open calls to end.",
  ),
});

const http = section({
  bazel: described(standard(flag, true), "/{instance}/ac/ and /{instance}/cas/."),
  turborepo: described(standard(flag, true), "/{instance}/v8/artifacts/."),
  nx: described(standard(flag, true), "/{instance}/v1/cache/."),
  ccache: described(standard(flag, true), "/{instance}/ccache/, and /sccache/ and /webdav/ by WebDAV."),
  gradle: described(standard(flag, true), "/{instance}/cache/."),
  githubActions: described(standard(flag, true), "The cache service of GitHub Actions, version 2."),
});

const assets = section({
  hosts: described(standard(listOf(text), []), "Hosts from which assets are fetched; none: no fetching."),
});

const backing = optional(
  section({
    url: described(text, "A REAPI server behind this one, such as grpc://cache:9092."),
    instance: described(standard(instance, ""), "There."),
    tokenFile: described(optional(text), "File with a bearer token for it."),
    authorities: described(optional(text), "File: authorities that vouch for it, PEM; default: those of the system."),
    write: described(standard(flag, true), "Sends what is stored here on to it."),
    keep: described(standard(flag, true), "Keeps results that were found there, with all that they name."),
  }),
);

/** All settings. */
export const SERVER_SETTINGS = section({
  listen: described(
    standard(listOf(address), "127.0.0.1:9092"),
    "Addresses: `HOST:PORT`, `:PORT` for every IPv4 interface, `unix:PATH`.",
  ),
  dir: described(standard(text, ".kahn/server"), "Folder of the store."),
  store,
  tls: described(tls, "TLS on every address but Unix sockets."),
  access,
  execution,
  results,
  http,
  assets,
  backing: described(backing, "A cache behind this one."),
  telemetry,
  drain,
});

/** A server's configuration, with defaults and in the program's units. */
export type ServerConfig = ValueOf<typeof SERVER_SETTINGS>;

/** One entry of `access.rules`. */
export type AccessRule = ValueOf<typeof rule>;
/** One entry of `access.tokens`. */
export type TokenSettings = ValueOf<typeof token>;
/** One entry of `access.issuers`. */
export type IssuerSettings = ValueOf<typeof issuer>;
/** One entry of `access.quotas`. */
export type QuotaSettings = ValueOf<typeof quota>;
/** The section `access`. */
export type AccessSettings = ServerConfig["access"];
