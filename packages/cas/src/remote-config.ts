/**
 * The member `remote` of the section `cache`: where a shared cache is, and as whom it is asked.
 *
 * Never: holds a secret: tokens are named by the variable that has them. Whether the address is one, the package says
 *        that speaks to it.
 */
import * as v from "valibot";

/** A shared cache with defaults filled in. */
export interface RemoteConfig {
  /** `grpc://`, `grpcs://`, `unix:`, `http://` or `https://`. */
  readonly url: string;
  readonly mode: "rw" | "r" | "off";
  /** REAPI's instance name; empty for none. */
  readonly instance: string;
  /** Sent with each call; `${NAME}` in a value stands for a variable. */
  readonly headers: Readonly<Record<string, string>>;
  /** Name of the variable with the bearer token. */
  readonly tokenEnv: string;
  /** Paths of PEM files, from the workspace's root. */
  readonly tls?: RemoteTlsConfig;
}

/** Certificates of a connection. */
export interface RemoteTlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

const path = (text: string) => v.optional(v.pipe(v.string(), v.nonEmpty("Name a file."), v.description(text)));

/** The schema. Its type is written out: the published declarations name no more of valibot than that. */
export const remoteSchema: v.GenericSchema<unknown, RemoteConfig> = v.pipe(
  v.strictObject({
    url: v.pipe(
      v.string(),
      v.regex(
        /^(grpcs?:\/\/|https?:\/\/|unix:)./,
        "Write grpc://HOST:PORT, grpcs://, unix:/PATH, http:// or https://.",
      ),
      v.description("Where it is: grpc://, grpcs:// or unix: for REAPI, http:// or https:// for a plain HTTP cache."),
    ),
    mode: v.optional(
      v.pipe(
        v.picklist(["rw", "r", "off"]),
        v.description("rw: read and write. r: only read. off: only with --cache. Default: rw."),
      ),
    ),
    instance: v.optional(v.pipe(v.string(), v.description("Instance name of REAPI. Default: none."))),
    headers: v.optional(
      v.pipe(
        v.record(v.pipe(v.string(), v.regex(/^[0-9A-Za-z_.-]+$/, "This is no name of a header.")), v.string()),
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what people write.
        v.description("Headers of each call; ${NAME} in a value stands for a variable of the environment."),
      ),
    ),
    tokenEnv: v.optional(
      v.pipe(
        v.string(),
        v.nonEmpty("Name a variable."),
        v.description("Variable that holds the bearer token. Default: KAHN_REMOTE_TOKEN."),
      ),
    ),
    tls: v.optional(
      v.pipe(
        v.strictObject({
          ca: path("Authorities that vouch for the server. Default: those of Node."),
          cert: path("Certificate that this client shows."),
          key: path("Key of that certificate."),
          serverName: v.optional(v.pipe(v.string(), v.description("Name the server's certificate must bear."))),
        }),
        v.description("Certificates: paths of PEM files, from the workspace's root."),
      ),
    ),
  }),
  v.transform(
    ({ url, mode = "rw", instance = "", headers = {}, tokenEnv = "KAHN_REMOTE_TOKEN", tls }): RemoteConfig => ({
      url,
      mode,
      instance,
      headers,
      tokenEnv,
      ...(tls === undefined ? {} : { tls: present(tls) }),
    }),
  ),
);

function present(tls: { readonly [Name in keyof RemoteTlsConfig]?: string | undefined }): RemoteTlsConfig {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}
