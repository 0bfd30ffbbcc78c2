/** Settings of the whole workspace, from the root's configuration. */
import type { Problem } from "@kahn/core";
import { problem } from "@kahn/core";
import type { ConfigText, ValuePath } from "../config/config-text.ts";
import { pathText } from "../config/config-text.ts";
import type { KahnConfig } from "../config/config-types.ts";
import { normalizeGlob } from "../config/glob-form.ts";
import { checkVariable } from "../config/task-entry.ts";
import type { WorkspaceSettings } from "../model.ts";

/** What settings are read with. */
export interface SettingsSource {
  readonly text: ConfigText | undefined;
  readonly sections: Readonly<Record<string, unknown>>;
  /** What `"auto"` means, at least 1. */
  readonly processorCount: number;
  readonly report: (problem: Problem) => void;
}

/** Reads and checks the settings. */
export function readSettings(config: KahnConfig, source: SettingsSource): WorkspaceSettings {
  const list = (field: "globalEnv" | "globalPassEnv" | "globalInputs") =>
    (config[field] ?? []).flatMap((written, index) => {
      const checked = field === "globalInputs" ? normalizeGlob(written, "") : checkVariable(written);
      if (checked.ok) return [checked.value];
      reportItem(source, [field, index], `"${written}" ${checked.problem}`);
      return [];
    });
  checkProjectGlobs(config.projects ?? [], source);
  return {
    concurrency: typeof config.concurrency === "number" ? config.concurrency : Math.max(1, source.processorCount),
    pools: { ...config.pools },
    tagCaps: { ...config.tagCaps },
    cache: { ...config.cache },
    globalEnv: list("globalEnv"),
    globalPassEnv: list("globalPassEnv"),
    globalInputs: list("globalInputs"),
    sections: source.sections,
  };
}

function checkProjectGlobs(globs: readonly string[], source: SettingsSource): void {
  for (const [index, glob] of globs.entries()) {
    const isAbsolute = /^!?\//.test(glob);
    const checked = normalizeGlob(glob, "");
    if (isAbsolute) reportItem(source, ["projects", index], `"${glob}" starts with "/"`);
    else if (!checked.ok) reportItem(source, ["projects", index], `"${glob}" ${checked.problem}`);
  }
}

function reportItem(source: SettingsSource, path: ValuePath, what: string): void {
  const where = source.text?.valuePlace(path);
  const next =
    path[0] === "globalEnv" || path[0] === "globalPassEnv"
      ? "Write the name of a variable."
      : "Write a path from the workspace's root.";
  source.report(problem("config-bad-value", `"${pathText(path)}": ${what}`, { ...(where ? { where } : {}), next }));
}
