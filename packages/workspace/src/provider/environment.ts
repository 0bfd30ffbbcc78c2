/**
 * The environment of a task.
 *
 * Owns:      which variables reach a task, and which of them are in its key.
 * Never:     reads `process.env`: the host's variables are handed in.
 * Invariant: a task receives what it declares, what Kahn always passes and what npm would set, and nothing else.
 */

/** The host's variables. */
export type HostEnvironment = Readonly<Record<string, string | undefined>>;

/** Always passed, never in a key: what programs need to work at all. A trailing `*` matches names. */
export const ALWAYS_PASSED: readonly string[] = [
  ..."PATH HOME USER LOGNAME SHELL TMPDIR TERM LANG LC_* TZ COLORTERM NO_COLOR FORCE_COLOR CI SSH_AUTH_SOCK".split(" "),
  ..."HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy".split(" "),
  ..."NODE_EXTRA_CA_CERTS SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO".split(" "),
  "npm_config_*",
  ..."XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_RUNTIME_DIR".split(" "),
  ..."DEVELOPER_DIR SDKROOT __CF_USER_TEXT_ENCODING WSL_DISTRO_NAME WSL_INTEROP".split(" "),
];

/** Variables by name, those that match several patterns once, sorted. `undefined` marks a declared one that is absent. */
export type DeclaredEnvironment = readonly (readonly [name: string, value: string | undefined])[];

/** Answers questions about one host environment; remembers answers, since many tasks ask the same. */
export class TaskEnvironment {
  readonly #host: HostEnvironment;
  readonly #names: readonly string[];
  readonly #declared = new Map<string, DeclaredEnvironment>();
  readonly #passed = new Map<string, Readonly<Record<string, string>>>();

  constructor(host: HostEnvironment) {
    this.#host = host;
    this.#names = Object.keys(host)
      .filter((name) => host[name] !== undefined)
      .sort();
  }

  /** The variables that enter a key: each name, whether it is set or not, and each that a `NAME_*` matches. */
  declared(patterns: readonly string[]): DeclaredEnvironment {
    const key = patterns.join("\0");
    const known = this.#declared.get(key);
    if (known !== undefined) return known;
    const found = new Map<string, string | undefined>();
    for (const pattern of patterns) {
      if (pattern.endsWith("*")) for (const name of this.#matching(pattern)) found.set(name, this.#host[name]);
      else found.set(pattern, this.#host[pattern]);
    }
    const declared = [...found].sort(([left], [right]) => (left < right ? -1 : 1));
    this.#declared.set(key, declared);
    return declared;
  }

  /** What is handed over of the host's variables. */
  passed(patterns: readonly string[]): Readonly<Record<string, string>> {
    const key = patterns.join("\0");
    const known = this.#passed.get(key);
    if (known !== undefined) return known;
    const passed: Record<string, string> = {};
    for (const pattern of [...ALWAYS_PASSED, ...patterns]) {
      const names = pattern.endsWith("*") ? this.#matching(pattern) : [pattern];
      for (const name of names) {
        const value = this.#host[name];
        if (value !== undefined) passed[name] = value;
      }
    }
    this.#passed.set(key, passed);
    return passed;
  }

  /** The host's value of a variable. */
  value(name: string): string | undefined {
    return this.#host[name];
  }

  #matching(pattern: string): string[] {
    const prefix = pattern.slice(0, -1);
    return this.#names.filter((name) => name.startsWith(prefix));
  }
}
