/** The command line of `reapi-conform`. */
import { parseArgs } from "node:util";
import type { Result } from "@kahn/core";
import { err, ok } from "@kahn/core";
import type { ExecutionWish } from "./features.ts";

/** How the report is written. */
export type ReportForm = "text" | "json" | "markdown";

/** What was asked for. */
export interface ConformOptions {
  /** As grpc-js names targets. */
  readonly target: string;
  readonly isEncrypted: boolean;
  readonly instance: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly platform: readonly { readonly name: string; readonly value: string }[];
  readonly only: readonly string[];
  readonly execution: ExecutionWish;
  readonly form: ReportForm;
  /** Checks at once. */
  readonly lanes: number;
  readonly tlsFiles: {
    readonly authorities?: string | undefined;
    readonly certificate?: string | undefined;
    readonly key?: string | undefined;
    readonly serverName?: string | undefined;
  };
}

/** What a command line asks for. */
export type Request =
  | { readonly kind: "help" }
  | { readonly kind: "list"; readonly only: readonly string[] }
  | { readonly kind: "run"; readonly options: ConformOptions };

/** The text of `--help`. */
export const HELP = `Usage: reapi-conform [OPTIONS] TARGET

Checks a Remote Execution API v2 server against its obligations: one named check for each. The server's capabilities
decide which apply; those that do not are skipped, with the reason, and so is what this caller has no right to do. Blobs
and results of the checks are new and random; they stay in the server's cache until it forgets them. Nothing else is
changed.

TARGET is grpc://HOST:PORT, grpcs://HOST:PORT (TLS) or unix:PATH.

  --instance NAME        the instance to check (default: the one without a name)
  --header NAME=VALUE    sent with every call, such as authorization='Bearer abc'; may be repeated
  --only PATTERN         only checks whose name contains it (* stands for anything), or of a section (2.4); repeatable
  --exec, --no-exec      check execution, or do not (default: if the server's capabilities offer it)
  --platform NAME=VALUE  a property that actions need on this server, such as OSFamily=linux; may be repeated
  --jobs N               checks at once (default: 4)
  --tls-ca FILE          authorities that vouch for the server, PEM
  --tls-cert FILE        a certificate for this client, PEM, with --tls-key FILE
  --tls-server-name NAME the name in the server's certificate, where it is not HOST
  --json                 one line of JSON for each check
  --markdown             tables for a document
  --list                 print the checks and end
  --help

Actions of the checks are shell scripts: workers need sh, cat, od, env, ln and sleep in /bin or /usr/bin.

Levels: must (a failure breaks the protocol), should (clients may expect it), optional (good to have).
Exit code: 0 if no must failed, 1 if one did or the server cannot be reached, 2 for a wrong command line.

  reapi-conform grpc://127.0.0.1:9092
  reapi-conform --only 2.4 --only 'find-missing/*' grpc://cache:8980
  reapi-conform --instance main --header authorization='Bearer abc' grpcs://remote.example.org:443
`;

const OPTIONS = {
  instance: { type: "string" },
  header: { type: "string", multiple: true },
  only: { type: "string", multiple: true },
  exec: { type: "boolean" },
  "no-exec": { type: "boolean" },
  platform: { type: "string", multiple: true },
  jobs: { type: "string", default: "4" },
  "tls-ca": { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "tls-server-name": { type: "string" },
  json: { type: "boolean" },
  markdown: { type: "boolean" },
  list: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Reads a command line; a text says what is wrong with it. */
export function parseRequest(argv: readonly string[]): Result<Request, string> {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
    if (values.help === true) return ok({ kind: "help" });
    if (values.list === true) return ok({ kind: "list", only: values.only ?? [] });
    return runRequest(values, positionals);
  } catch (error) {
    return err((error as Error).message);
  }
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

function runRequest(values: Values, positionals: readonly string[]): Result<Request, string> {
  const [target, ...more] = positionals;
  if (target === undefined) return err("name the server to check, such as grpc://127.0.0.1:9092");
  if (more.length > 0) return err(`one server at a time: ${more.join(" ")} is too much`);
  const place = placeOf(target);
  if (place === undefined) return err(`${target} is no server: write grpc://HOST:PORT, grpcs://HOST:PORT or unix:PATH`);
  if (values.exec === true && values["no-exec"] === true) return err("--exec and --no-exec exclude each other");
  if (values.json === true && values.markdown === true) return err("--json and --markdown exclude each other");
  if ((values["tls-cert"] === undefined) !== (values["tls-key"] === undefined)) {
    return err("--tls-cert and --tls-key belong together");
  }
  if (!/^[1-9]\d{0,2}$/.test(values.jobs)) return err(`--jobs wants a number from 1 to 999, not ${values.jobs}`);
  const headers = pairsOf(values.header ?? [], "--header");
  if (!headers.ok) return headers;
  const platform = pairsOf(values.platform ?? [], "--platform");
  if (!platform.ok) return platform;
  return ok({
    kind: "run",
    options: {
      ...place,
      instance: values.instance ?? "",
      headers: headers.value.map(([name, value]) => [name.toLowerCase(), value] as const),
      platform: platform.value.map(([name, value]) => ({ name, value })),
      only: values.only ?? [],
      execution: values.exec === true ? "always" : values["no-exec"] === true ? "never" : "by-capabilities",
      form: values.json === true ? "json" : values.markdown === true ? "markdown" : "text",
      lanes: Number(values.jobs),
      tlsFiles: {
        authorities: values["tls-ca"],
        certificate: values["tls-cert"],
        key: values["tls-key"],
        serverName: values["tls-server-name"],
      },
    },
  });
}

function placeOf(text: string): Pick<ConformOptions, "target" | "isEncrypted"> | undefined {
  if (text.startsWith("unix:")) return { target: text, isEncrypted: false };
  const match = /^(?:(grpcs?):\/\/)?([^/]+:\d+)\/?$/.exec(text);
  return match === null ? undefined : { target: match[2]!, isEncrypted: match[1] === "grpcs" };
}

function pairsOf(
  texts: readonly string[],
  option: string,
): Result<readonly (readonly [name: string, value: string])[], string> {
  const pairs: (readonly [string, string])[] = [];
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) return err(`${option} wants NAME=VALUE, not ${text}`);
    pairs.push([text.slice(0, at), text.slice(at + 1)]);
  }
  return ok(pairs);
}
