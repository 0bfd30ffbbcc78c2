/** Edits of the sources, as a person makes them. */
import { FAIL_MARK } from "./command.ts";
import { folderOf, LOCK_FILE, SHARED, type Source } from "./sim-workspace.ts";
import type { StepContext } from "./step-context.ts";

const KINDS = [
  ...(["body", "body", "comment", "comment", "add", "remove", "rename", "chmod", "link", "break", "same"] as const),
  "swap" as const,
];

/** One change of the sources. */
export function editSources(context: StepContext): void {
  const { world, random, tell } = context;
  const broken = [...world.sources].find(([, source]) => source.kind === "file" && source.text.includes(FAIL_MARK));
  if (broken !== undefined && random.chance(0.7)) {
    tell(`mend ${broken[0]}`);
    world.setSource(broken[0], { kind: "file", text: `mended ${random.int(10, 99)} // x`, executable: false });
  } else if (random.chance(0.05)) {
    tell("edit the lock file");
    world.setSource(LOCK_FILE, { kind: "file", text: `{ ${random.int(10, 9999)} }`, executable: false });
  } else editOne(context);
}

function editOne({ world, random, tell }: StepContext): void {
  const { sources, workspace } = world;
  const paths = [...sources.keys()].filter((path) => path !== LOCK_FILE);
  const path = random.pick(paths);
  const source = sources.get(path)!;
  const text = source.kind === "file" ? source.text : "was a link 10 // note 10";
  const isExecutable = source.kind === "file" && source.executable;
  const file = (content: string, executable = isExecutable): Source => ({ kind: "file", text: content, executable });
  const number = random.int(10, 99);
  const kind = random.pick(KINDS);
  const other = random.pick(paths);
  const added = `${folderOf(random.pick(workspace.projects))}/src/${random.pick(["new.ts", "lib/deep/new.ts", "skip/new.txt"])}`;
  const changes: Readonly<Record<(typeof KINDS)[number], () => readonly (readonly [string, Source | undefined])[]>> = {
    body: () => [[path, file(text.replace(/\d+/, String(number)))]],
    comment: () => [[path, file(text.replace(/\/\/.*|$/, `// note ${number}`))]],
    add: () => [[added, file(`new ${number} // n`)]],
    remove: () => (paths.length < 3 ? [] : [[path, undefined]]),
    rename: () =>
      path.startsWith(SHARED)
        ? []
        : ([
            [path, undefined],
            [`${path}x`, source],
          ] as const),
    chmod: () => (source.kind === "file" ? [[path, file(text, !isExecutable)]] : []),
    link: () => [[path, { kind: "symlink", target: random.pick(["a.ts", "b.ts"]) }]],
    break: () => (number < 50 ? [[path, file(`${FAIL_MARK} ${text}`)]] : []),
    same: () => [[path, source]],
    swap: () => [
      [path, sources.get(other)],
      [other, source],
    ],
  };
  for (const [target, value] of changes[kind]()) {
    tell(`${kind} ${target}`);
    world.setSource(target, value);
  }
}
