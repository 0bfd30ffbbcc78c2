/**
 * Fetching from origins: the one place where this server connects to an address that a client names.
 *
 * Invariant: no address outside the allow-list, and none that is this machine's or a private network's unless that was
 *            allowed, is connected to, redirects included. Nothing of an answer is held.
 * Note:      names are resolved before the request, and by the port again: who controls the name of an allowed host
 *            could answer differently. The allow-list is the guard, the ranges are the second.
 */
import type { Clock, Timer } from "@kahn/core";

/** An answer of an origin. */
export interface OriginAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

/** Port: HTTP to the outside. Node's `fetch` is one. Redirects must come back as answers. */
export interface OriginPort {
  fetch(
    url: string,
    options: {
      readonly headers: Readonly<Record<string, string>>;
      readonly redirect: "manual";
      readonly signal: AbortSignal;
    },
  ): Promise<OriginAnswer>;
  /** All addresses of a host's name; a literal address is its own. */
  resolve(host: string): Promise<readonly string[]>;
}

/** Whom a server may fetch from. */
export interface OriginPolicy {
  /** Host names; `*.example.org` stands for all below `example.org`. None: nothing is fetched. */
  readonly hosts: readonly string[];
  /** Default: false. */
  readonly allowPrivate?: boolean;
}

/** What came of a fetch. */
export type OriginOutcome =
  | { readonly kind: "fetched" }
  /** Whoever takes the bytes wants no more of them. */
  | { readonly kind: "stopped" }
  | { readonly kind: "denied" | "not-found" | "too-large" | "unreachable" | "too-late"; readonly message: string };

/** One fetch. */
export interface OriginRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** Breaks it off: `stopped`. */
  readonly signal: AbortSignal;
  /** Takes the next bytes; false when no more are wanted. */
  readonly take: (bytes: Uint8Array) => Promise<boolean>;
}

const REDIRECTS_MAX = 10;

/** Fetches from origins that the policy allows. */
export class Origins {
  readonly #port: OriginPort;
  readonly #policy: OriginPolicy;
  readonly #clock: Clock;
  readonly #running = new Set<AbortController>();

  constructor(port: OriginPort, policy: OriginPolicy, clock: Clock) {
    this.#port = port;
    this.#policy = policy;
    this.#clock = clock;
  }

  /** Fetches one address. Never throws. */
  async fetch(request: OriginRequest): Promise<OriginOutcome> {
    const abort = new AbortController();
    this.#running.add(abort);
    let timer: Timer | undefined;
    let stop = (): void => {};
    const late = new Promise<OriginOutcome>((resolve) => {
      stop = () => {
        abort.abort();
        resolve({ kind: "stopped" });
      };
      request.signal.addEventListener("abort", stop);
      timer = this.#clock.setTimer(request.timeoutMs, () => {
        abort.abort();
        resolve({ kind: "too-late", message: `${request.url} did not arrive within ${request.timeoutMs} ms` });
      });
    });
    try {
      return await Promise.race([late, this.#follow(request, abort.signal)]);
    } finally {
      timer?.cancel();
      request.signal.removeEventListener("abort", stop);
      this.#running.delete(abort);
      abort.abort();
    }
  }

  /** Breaks off what is being fetched. */
  close(): void {
    for (const abort of this.#running) abort.abort();
  }

  async #follow(request: OriginRequest, signal: AbortSignal): Promise<OriginOutcome> {
    let url = request.url;
    let headers = request.headers;
    try {
      for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
        const denial = await this.#denial(url);
        if (denial !== undefined) return { kind: "denied", message: denial };
        const answer = await this.#port.fetch(url, { headers, redirect: "manual", signal });
        const location = isRedirect(answer.status) ? answer.headers.get("location") : null;
        if (location === null) return await received(answer, { ...request, url });
        const next = new URL(location, url);
        // Credentials are for the host they were given for.
        if (next.host !== new URL(url).host) headers = {};
        url = next.href;
      }
      return { kind: "unreachable", message: `${request.url} redirects without end` };
    } catch (error) {
      return { kind: "unreachable", message: `${url} cannot be fetched: ${(error as Error).message}` };
    }
  }

  /** Why an address may not be fetched. */
  async #denial(text: string): Promise<string | undefined> {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
      return `${text} is no address that this server fetches: http and https only`;
    }
    if (url.username !== "" || url.password !== "") return "an address with a password in it is not fetched";
    const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
    if (!this.#policy.hosts.some((pattern) => matchesHost(pattern.toLowerCase(), host))) {
      return `${host} is not among the hosts that this server fetches from`;
    }
    if (this.#policy.allowPrivate === true) return undefined;
    const addresses = await this.#port.resolve(host);
    const inside = addresses.find(isPrivateAddress);
    return inside === undefined ? undefined : `${host} is ${inside}, an address of a private network`;
  }
}

async function received(answer: OriginAnswer, request: OriginRequest): Promise<OriginOutcome> {
  const { status } = answer;
  const what = `${request.url} answered with ${status}`;
  if (status === 404 || status === 410) return { kind: "not-found", message: what };
  if (status === 401 || status === 403) return { kind: "denied", message: what };
  if (status !== 200) return { kind: "unreachable", message: what };
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.length;
    if (bytes > request.maxBytes) {
      return { kind: "too-large", message: `${request.url} has more than ${request.maxBytes} bytes` };
    }
    if (!(await request.take(part))) return { kind: "stopped" };
  }
  return { kind: "fetched" };
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function matchesHost(pattern: string, host: string): boolean {
  return pattern.startsWith("*.")
    ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1
    : pattern === host;
}

/** True for addresses that mean this machine or its neighbours, in any spelling that a resolver gives. */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^::(?:ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const text = mapped ?? address.toLowerCase();
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)?.slice(1).map(Number);
  if (octets !== undefined) return isPrivateOctets(octets[0]!, octets[1]!);
  if (text === "::" || text === "::1") return true;
  // Mapped and translated addresses in hex, unique local, link local, multicast. What is no address at all is not trusted.
  return /^(::ffff:|64:ff9b:|f[cd]|fe[89ab]|ff)/.test(text) || !text.includes(":");
}

function isPrivateOctets(a: number, b: number): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true;
  if (a === 100) return b >= 64 && b < 128;
  if (a === 169) return b === 254;
  if (a === 172) return b >= 16 && b < 32;
  if (a === 192) return b === 168 || b === 0;
  return a === 198 && (b === 18 || b === 19);
}
