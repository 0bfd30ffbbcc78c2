/** The JSON Schema of `kahn.jsonc`, for editors. */
import type { ConfigSection, Json } from "@kahn/core";

/**
 * Generates the schema (draft-07). The build writes it down; nothing else needs it, so what makes it loads lazily.
 *
 * @param sections sections of the root's configuration that other packages own.
 */
export async function configJsonSchema(sections: readonly ConfigSection<unknown>[] = []): Promise<Json> {
  const [{ toJsonSchema }, v, { PROJECT_ENTRIES, ROOT_ENTRIES }] = await Promise.all([
    import("@valibot/to-json-schema"),
    import("valibot"),
    import("./config-schema.ts"),
  ]);
  const own = Object.fromEntries(sections.map((section) => [section.key, v.optional(section.schema)]));
  const entries: Parameters<typeof v.strictObject>[0] = { ...PROJECT_ENTRIES, ...ROOT_ENTRIES, ...own };
  const schema = toJsonSchema(v.strictObject(entries), { target: "draft-07", errorMode: "ignore", typeMode: "input" });
  return {
    ...(schema as Readonly<Record<string, Json>>),
    title: "Kahn's configuration: kahn.jsonc",
    description: "At the root of a workspace; in a project's folder only the keys tags and tasks are allowed.",
    // Editors would otherwise mark what Kahn accepts.
    allowTrailingCommas: true,
  };
}
