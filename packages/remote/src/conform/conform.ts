/** The program `reapi-conform`, without what is the process's: from a command line to a report and an exit code. */
import type { Clock } from "@kahn/core";
import { selectedChecks } from "./catalogue.ts";
import { CheckedServer } from "./checked-server.ts";
import type { EndpointTls } from "./endpoint.ts";
import { Code, Endpoint } from "./endpoint.ts";
import { featuresOf } from "./features.ts";
import { loadHashing } from "./hashing.ts";
import type { ConformOptions } from "./options.ts";
import { HELP, parseRequest } from "./options.ts";
import { jsonOf, listText, markdownOf, outcomeText, tallyText } from "./report.ts";
import type { CheckOutcome } from "./runner.ts";
import { isConformant, runChecks } from "./runner.ts";
import { loadZstd } from "./zstd-frames.ts";

/** The world as the program sees it. */
export interface ConformHost {
  readonly clock: Clock;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** @throws Error with a `message` for people. */
  readonly readFile: (path: string) => Buffer;
}

const EXIT = { conformant: 0, failed: 1, usage: 2 } as const;

/** Runs the program. @returns its exit code. */
export async function conform(argv: readonly string[], host: ConformHost): Promise<number> {
  const request = parseRequest(argv);
  if (!request.ok) {
    host.error(`reapi-conform: ${request.problem}\nTry "reapi-conform --help".\n`);
    return EXIT.usage;
  }
  if (request.value.kind === "help") {
    host.out(HELP);
    return EXIT.conformant;
  }
  const { only } = request.value.kind === "list" ? request.value : request.value.options;
  const checks = selectedChecks(only);
  if (checks.length === 0) {
    host.error(`reapi-conform: no check is called ${only.join(" or ")}; --list prints them all\n`);
    return EXIT.usage;
  }
  if (request.value.kind === "list") {
    host.out(listText(checks));
    return EXIT.conformant;
  }
  return await check(request.value.options, checks, host);
}

async function check(
  options: ConformOptions,
  checks: ReturnType<typeof selectedChecks>,
  host: ConformHost,
): Promise<number> {
  let tls: EndpointTls | undefined;
  try {
    tls = options.isEncrypted ? readTls(options, host) : undefined;
  } catch (error) {
    host.error(`reapi-conform: ${(error as Error).message}\n`);
    return EXIT.usage;
  }
  const endpoint = new Endpoint({ target: options.target, clock: host.clock, headers: options.headers, tls });
  try {
    const server = await checkedServer(endpoint, options);
    if (typeof server === "string") {
      host.error(`reapi-conform: ${options.target}: ${server}\n`);
      return EXIT.failed;
    }
    const tell = (outcome: CheckOutcome) => host.out(outcomeText(outcome));
    const { lanes, form } = options;
    const outcomes = await runChecks(server, checks, { lanes, ...(form === "text" ? { tell } : {}) });
    host.out({ text: tallyText, json: jsonOf, markdown: markdownOf }[form](outcomes));
    return isConformant(outcomes) ? EXIT.conformant : EXIT.failed;
  } finally {
    endpoint.close();
  }
}

/** Learns what the server can; a text says why it cannot be checked. */
export async function checkedServer(
  endpoint: Endpoint,
  { instance, platform, execution }: Pick<ConformOptions, "instance" | "platform" | "execution">,
): Promise<CheckedServer | string> {
  await Promise.all([loadHashing(), loadZstd()]);
  const outcome = await endpoint.call("getCapabilities", { instanceName: instance });
  const [capabilities] = outcome.answers;
  if (capabilities === undefined) return `GetCapabilities ended with ${Code[outcome.code]}: ${outcome.message}`;
  const features = featuresOf(capabilities, execution);
  return typeof features === "string" ? features : new CheckedServer({ endpoint, instance, features, platform });
}

function readTls({ tlsFiles }: ConformOptions, { readFile }: ConformHost): EndpointTls {
  const { authorities, certificate, key, serverName } = tlsFiles;
  return {
    ...(authorities === undefined ? {} : { authorities: readFile(authorities) }),
    ...(certificate === undefined ? {} : { certificate: readFile(certificate) }),
    ...(key === undefined ? {} : { key: readFile(key) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}
