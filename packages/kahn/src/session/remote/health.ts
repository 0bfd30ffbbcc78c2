/**
 * Checks of a server, for `kahn doctor`: whether it answers, to whom, and what it does for them.
 *
 * Owns:      the questions, and what follows from the answers.
 * Never:     writes anything there, or waits longer than a person would.
 */
import type { RemoteConfig } from "@kahn/cas";
import { digestOf, type Problem, problem, randomHex, sleep } from "@kahn/core";
import { functionsOf, openClient, type RemoteClient, remoteProblem, type ServerFeatures } from "@kahn/remote/client";
import { durationText } from "@kahn/report";
import type { Finding } from "../health.ts";
import { type ClientPlace, clientOptions, credentialsShown } from "./client.ts";

/** Until somebody who does not answer is taken for gone. */
const PATIENCE_MS = 5000;

/** Which server is checked, and how long for. */
export interface ServerCheck {
  readonly server: RemoteConfig;
  readonly patienceMs?: number;
}

/** Looks at a server: its connection first, and nothing more when there is none. */
export async function checkServer(place: ClientPlace, check: ServerCheck): Promise<Finding[]> {
  const { server, patienceMs = PATIENCE_MS } = check;
  const { clock, random } = place.ports;
  const options = clientOptions(place, { server, run: `doctor-${randomHex(random, 8)}` });
  if (!options.ok) return [wrong("remote server", options.problem)];
  const opened = openClient(options.value);
  if (!opened.ok) return [wrong("remote server", opened.problem)];
  const client = opened.value;
  const patience = new AbortController();
  const late = sleep(clock, patienceMs, patience.signal).then(() => [silent(client.tier.name, patienceMs)]);
  try {
    return await Promise.race([answersOf(client, place, server), late]);
  } finally {
    patience.abort();
    client.close();
  }
}

async function answersOf(client: RemoteClient, { ports, env }: ClientPlace, config: RemoteConfig): Promise<Finding[]> {
  const { clock, random } = ports;
  const startedMs = clock.monotonicMs();
  const features = await client.server?.features();
  if (features?.ok === false) return [wrong("remote server", remoteProblem(client.server!, features.problem))];
  const connectedMs = clock.monotonicMs();
  // Nobody has it: whoever may read is told so, and all others that they may not.
  const looked = await client.tier.actions.lookup(digestOf(randomHex(random, 32)));
  const endedMs = clock.monotonicMs();
  if (!looked.ok) return [wrong("remote server", looked.problem)];
  // Of plain HTTP there is one question only, which has made the connection as well.
  const times =
    features === undefined
      ? `in ${durationText(endedMs - startedMs)}`
      : `in ${durationText(endedMs - connectedMs)} (${durationText(connectedMs - startedMs)} with the connection)`;
  return [
    { state: "good", what: "remote server", detail: `${client.tier.name} answers ${times}, ${wayOf(config.url)}` },
    credentialsFinding(config, env),
    ...(features === undefined ? HTTP_FINDINGS : featureFindings(features.value, config)),
  ];
}

function wayOf(url: string): string {
  if (url.startsWith("unix:")) return "on this machine";
  return isEncrypted(url) ? "encrypted" : "not encrypted";
}

function isEncrypted(url: string): boolean {
  return /^(grpcs|https):/.test(url);
}

/** True for an address whose bytes stay on this machine. */
export function isNear(url: string): boolean {
  if (url.startsWith("unix:")) return true;
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

function credentialsFinding(config: RemoteConfig, env: ClientPlace["env"]): Finding {
  const what = "credentials";
  const shown = credentialsShown(config, env);
  if (shown.length === 0) {
    const detail = `none are sent (${config.tokenEnv} is not set), and it answers all the same`;
    return { state: "absent", what, detail };
  }
  const detail = `${shown.join(" and ")}: accepted`;
  if (isEncrypted(config.url) || isNear(config.url)) return { state: "good", what, detail };
  const next = `Use ${config.url.startsWith("http") ? "https" : "grpcs"}://, so that nobody on the way can read them.`;
  return { state: "absent", what, detail: `${detail}, and sent unencrypted`, next };
}

function featureFindings(features: ServerFeatures, { mode, tokenEnv }: RemoteConfig): Finding[] {
  return [
    { state: "good", what: "digests", detail: functionsOf(features).join(", ") },
    cacheFinding(features, mode),
    executionFinding(features, tokenEnv),
  ];
}

function cacheFinding({ mayUpdateActions }: ServerFeatures, mode: RemoteConfig["mode"]): Finding {
  const what = "remote cache";
  if (mode === "off") return { state: "absent", what, detail: 'used with --cache only (cache.remote.mode is "off")' };
  if (mode === "r") return { state: "good", what, detail: 'results are read (cache.remote.mode is "r")' };
  if (mayUpdateActions) return { state: "good", what, detail: "results are read and written" };
  const next =
    "To write, show credentials with the right `ac.write`; on a machine that is only to read, nothing is wrong.";
  return { state: "absent", what, detail: "results are read, and none are taken from you", next };
}

function executionFinding({ executes }: ServerFeatures, tokenEnv: string): Finding {
  const what = "remote exec";
  switch (executes) {
    case "yes":
      return { state: "good", what, detail: "tasks may run there (--remote-exec)" };
    case "no":
      return { state: "absent", what, detail: "it does not run actions (--remote-exec)" };
    case "denied": {
      const next = `Show credentials with the right \`exec\`: a token in ${tokenEnv}, for example.`;
      return { state: "absent", what, detail: "it runs actions, and not for you (--remote-exec)", next };
    }
  }
}

const HTTP_FINDINGS: readonly Finding[] = [
  { state: "good", what: "remote cache", detail: "results are read; whether they are taken, only writing one tells" },
  { state: "absent", what: "remote exec", detail: "a plain HTTP cache runs nothing (--remote-exec)" },
];

function wrong(what: string, { message, next }: Problem): Finding {
  return { state: "wrong", what, detail: message, ...(next === undefined ? {} : { next }) };
}

function silent(name: string, patienceMs: number): Finding {
  const next = "Check the address, the network and the server's log.";
  const message = `${name} does not answer within ${durationText(patienceMs)}`;
  return wrong("remote server", problem("store-remote", message, { next }));
}
