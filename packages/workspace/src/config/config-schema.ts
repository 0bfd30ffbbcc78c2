/**
 * The schema of the configuration: shapes, titles, descriptions, examples.
 *
 * Owns:      what a value may look like. What names and globs may say is checked where they are read.
 * Invariant: no schema here transforms, so the JSON Schema describes exactly what people write. Each schema's message
 *            is what it expects, in words; `check-config.ts` puts it into a sentence.
 */
import * as v from "valibot";

const described = <Schema extends v.GenericSchema>(schema: Schema, description: string, ...examples: unknown[]) =>
  examples.length === 0
    ? v.pipe(schema, v.description(description))
    : v.pipe(schema, v.description(description), v.examples(examples as v.InferOutput<Schema>[]));

const text = v.string("a text");
const texts = v.pipe(v.array(text, "a list of texts"), v.readonly());
const count = v.pipe(v.number("a whole number"), v.integer("a whole number"), v.minValue(0, "0 or more"));
const positive = v.pipe(v.number("a whole number"), v.integer("a whole number"), v.minValue(1, "1 or more"));
const flag = v.boolean("true or false");
const duration = v.union([text, v.pipe(v.number(), v.minValue(0))], 'a duration like "5m", or milliseconds');
const amounts = v.pipe(v.record(text, positive, "an object of names and whole numbers"), v.readonly());

const MUTEX = 'a name, { "name", "mode" }, or a list of these';
const mutex = v.union(
  [
    text,
    v.strictObject({ name: text, mode: v.optional(v.picklist(["exclusive", "shared"], '"exclusive" or "shared"')) }),
  ],
  MUTEX,
);

const ready = v.strictObject(
  {
    port: v.optional(
      described(
        v.pipe(v.number("a port"), v.integer("a port"), v.minValue(1, "a port"), v.maxValue(65_535, "a port")),
        "A TCP port of this machine that accepts connections.",
        3000,
      ),
    ),
    url: v.optional(described(text, "A URL that answers with a status below 400.", "http://localhost:3000/health")),
    log: v.optional(described(text, "A regular expression that a line of its output matches.", "listening on")),
    command: v.optional(described(text, "A shell command that exits 0.", "pg_isready")),
    timeout: v.optional(described(duration, "How long to wait; default one minute.", "30s")),
  },
  "an object with port, url, log or command",
);

/** The fields of one task. */
export const TASK_ENTRIES = {
  description: v.optional(described(text, "Shown by `kahn ls`.")),
  command: v.optional(
    described(
      v.union([text, texts], "a shell line or a list of arguments"),
      "A shell line, or arguments run without a shell. Default: the package.json script of the same name.",
      "tsc -b",
    ),
  ),
  dependsOn: v.optional(
    described(texts, "Tasks that must succeed first. `^build` means `build` of its workspace dependencies.", [
      "^build",
      "//#codegen",
    ]),
  ),
  after: v.optional(described(texts, "Order only: if both run, this one runs after those.", ["lint"])),
  validates: v.optional(
    described(
      texts,
      "Tasks that this one checks: it runs whenever one of them runs; its failure fails the run and blocks nothing.",
      ["build"],
    ),
  ),
  inputs: v.optional(
    described(
      texts,
      "Globs of what it reads, from the project's folder; `/x` from the workspace's, `!x` leaves out, `$default` is every file that git knows of except outputs.",
      ["src/**", "package.json"],
    ),
  ),
  outputs: v.optional(
    described(texts, "Globs of what it writes. Without any, the result is cached without files.", ["dist/**"]),
  ),
  env: v.optional(described(texts, "Variables that it receives and that enter its key.", ["NODE_ENV", "VITE_*"])),
  passEnv: v.optional(described(texts, "Variables that it receives and that do not enter its key.", ["AWS_PROFILE"])),
  tools: v.optional(described(texts, "Programs whose identity enters its key, besides node.", ["tsc"])),
  mutex: v.optional(
    described(
      v.union([mutex, v.pipe(v.array(mutex), v.readonly())], MUTEX),
      "Tasks that name the same mutex never run together.",
      "port-3000",
    ),
  ),
  pool: v.optional(
    described(
      v.union([text, amounts], "a pool's name, or an object of names and amounts"),
      "Units of the workspace's pools that it holds while it runs.",
      "db",
      { db: 2 },
    ),
  ),
  slots: v.optional(described(count, "How much of the run's concurrency it takes; default 1.", 2)),
  tags: v.optional(described(texts, "Names for `tagCaps`.", ["heavy"])),
  priority: v.optional(
    described(v.pipe(v.number("a whole number"), v.integer("a whole number")), "Higher runs first; default 0.", 10),
  ),
  timeout: v.optional(described(duration, "After this time it is ended and has failed; default none.", "5m")),
  grace: v.optional(described(duration, "Between asking it to end and killing it; default 5s.", "10s")),
  retries: v.optional(described(count, "How often to run it again when it fails; default 0.", 1)),
  persistent: v.optional(described(flag, "It does not end by itself: a server, a watcher. Never cached.")),
  ready: v.optional(described(ready, "How a persistent task shows that it is ready.", { port: 3000 })),
  interactive: v.optional(described(flag, "It wants the terminal to itself. Never cached.")),
  cache: v.optional(described(flag, "false: never cached; default true.")),
  outputMode: v.optional(
    described(
      v.picklist(["copy", "link"], '"copy" or "link"'),
      "How outputs come back: as writable copies, or as read-only hard links.",
    ),
  ),
  deps: v.optional(
    described(
      v.picklist(["transitive", "direct"], '"transitive" or "direct"'),
      "`direct`: whoever uses its outputs reaches nothing else through it, as with a bundler that inlines.",
    ),
  ),
};

const task = v.strictObject(TASK_ENTRIES, "an object");
const tasks = described(
  v.pipe(v.record(text, task, "an object of task names and tasks"), v.readonly()),
  "Tasks by name: `build` for every project that has such a script, `pkg#build` for one, `//#build` for the root.",
);
const schemaLink = v.optional(described(text, "Where editors find the JSON Schema."));

/** The section `cache` unless its owners bring a schema of their own. */
const CACHE_ENTRIES = {
  maxSize: v.optional(
    described(v.union([text, v.number()], "a size like 10GB"), "Largest size of the local cache.", "10GB"),
  ),
  maxAge: v.optional(described(duration, "Results that nothing used for this long are removed.", "14d")),
  dir: v.optional(described(text, "Folder of the local cache, from the workspace's root.", ".kahn/cache")),
  digest: v.optional(described(v.picklist(["sha256"], '"sha256"'), "Digest function of keys.")),
  outputMode: v.optional(
    described(v.picklist(["copy", "link"], '"copy" or "link"'), "The default of every task's outputMode."),
  ),
  remote: v.optional(
    described(v.record(text, v.unknown(), "an object"), "A shared cache.", { url: "grpc://host:9092", mode: "rw" }),
  ),
};

/** The root's own keys besides the sections of other packages. */
export const ROOT_ENTRIES = {
  $schema: schemaLink,
  projects: v.optional(
    described(texts, "Folders of the projects; default: the package manager's workspaces.", ["packages/*"]),
  ),
  concurrency: v.optional(
    described(
      v.union([v.literal("auto"), positive], '"auto" or a whole number from 1'),
      "How many tasks run at once; auto: the number of processors.",
      "auto",
      4,
    ),
  ),
  pools: v.optional(described(amounts, "Named pools and how much there is of each.", { db: 2 })),
  tagCaps: v.optional(described(amounts, "How many tasks with a tag run at once.", { heavy: 1 })),
  cache: v.optional(described(v.strictObject(CACHE_ENTRIES, "an object"), "The cache.")),
  globalEnv: v.optional(described(texts, "Variables that every task receives and that enter every key.", ["CI"])),
  globalPassEnv: v.optional(described(texts, "Variables that every task receives.", ["AWS_PROFILE"])),
  globalInputs: v.optional(
    described(texts, "Files, from the workspace's root, that enter every key.", ["tsconfig.base.json"]),
  ),
  tasks: v.optional(tasks),
};

/** A project's own configuration. */
export const PROJECT_ENTRIES = {
  $schema: schemaLink,
  tags: v.optional(described(texts, "Names for `-p tag:x`.", ["frontend"])),
  tasks: v.optional(tasks),
};

/** The root's configuration. */
export const rootSchema = v.strictObject(ROOT_ENTRIES, "an object");

/** A project's configuration. */
export const projectSchema = v.strictObject(PROJECT_ENTRIES, "an object");
