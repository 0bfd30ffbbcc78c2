#!/usr/bin/env node
/**
 * Writes docs/reference from what was built: the help of every command, and the schema of the configuration.
 *
 * `node tools/reference.mjs` writes; reference.test.ts fails while a page is not what this would write.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { KAHN, ROOT } from "./repository.mjs";

/**
 * @typedef {object} Schema the parts of JSON Schema that the configuration uses
 * @property {string} [description]
 * @property {string} [type]
 * @property {unknown[]} [examples]
 * @property {unknown[]} [enum]
 * @property {unknown} [const]
 * @property {Schema} [items]
 * @property {Schema[]} [anyOf]
 * @property {Record<string, Schema>} [properties]
 * @property {Schema | boolean} [additionalProperties]
 */

/**
 * Every page by its path in the repository.
 *
 * @returns {Record<string, string>}
 */
export function referencePages() {
  const schema = JSON.parse(readFileSync(join(KAHN, "dist/schema.json"), "utf8"));
  return {
    "docs/reference/command-line.md": commandLinePage(),
    "docs/reference/configuration.md": configurationPage(schema),
    "docs/reference/server.md": serverPage(),
  };
}

/** @returns {string} */
function commandLinePage() {
  const overview = help();
  const sections = commandsIn(overview).flatMap((command) => {
    const own = help(command);
    const inner = commandsIn(own).map((each) => `### kahn ${command} ${each}\n\n${fenced(help(command, each))}`);
    return [`## kahn ${command}\n\n${fenced(own)}`, ...inner];
  });
  return [
    "# The command line",
    "What `kahn --help` and `kahn COMMAND --help` say.",
    fenced(overview),
    ...sections,
  ].join("\n\n");
}

/** @param {string} text a help that lists commands */
function commandsIn(text) {
  return [...text.matchAll(/^ {2}([a-z-]+) {2,}[A-Z]/gm)].map((match) => String(match[1]));
}

/** @param {readonly string[]} command */
function help(...command) {
  return kahn(...command, "--help");
}

/** @param {readonly string[]} words what is printed for these arguments */
function kahn(...words) {
  const args = [join(KAHN, "dist/kahn.mjs"), ...words];
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: "1" };
  const text = execFileSync(process.execPath, args, { encoding: "utf8", env });
  return text.trim().replace(/ +$/gm, "");
}

/** @returns {string} */
function serverPage() {
  const lines = kahn("serve", "--settings", "--json").split("\n");
  const settings = lines.map((line) => {
    const { key, expected, need, variable, default: standard, description } = JSON.parse(line);
    const indent = "  ".repeat(key.split("[]").length - 1);
    const left = standard === undefined ? (need === "required" ? [need] : []) : [`default \`${standard || '""'}\``];
    const facts = [...(variable === undefined ? [] : [`\`${variable}\``]), ...left];
    return `${indent}- **\`${key}\`**${facts.length === 0 ? "" : ` (${facts.join(", ")})`}: ${description} _${capital(expected)}._`;
  });
  return [
    "# Settings of a server",
    "",
    "For `kahn serve --config FILE`, in YAML or JSON with comments; `[]` stands for each entry of a list. Those with a variable",
    "can be given in the environment, and all but those of entries with `--set KEY=VALUE`. What is required must stand in the",
    "section or the entry that it is a part of, if that is there; everything else may be left out. A list of one needs no",
    "brackets. Paths are meant from the folder of FILE. How to use them: [guide](../guides/serve.md).",
    "",
    settings.join("\n"),
  ].join("\n");
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** @param {string} text */
function fenced(text) {
  return `\`\`\`text\n${text}\n\`\`\`\n`.trimEnd();
}

/** @param {Schema} schema */
function configurationPage(schema) {
  const { tasks, ...others } = schema.properties ?? {};
  const task = typeof tasks?.additionalProperties === "object" ? tasks.additionalProperties : {};
  return `${[
    "# The configuration",
    "`kahn.jsonc` or `kahn.config.{mts,ts,mjs}` at the root of the workspace; a project may have a `kahn.jsonc` of its own.",
    "Editors find the JSON Schema at `node_modules/kahn/dist/schema.json`; name it in `$schema`.",
    "## The root",
    fields(others).join("\n"),
    "## A task",
    `${tasks?.description ?? ""} Each has these fields, none of which it must have:`,
    fields(task.properties ?? {}).join("\n"),
  ].join("\n\n")}\n`;
}

/**
 * @param {Record<string, Schema>} properties
 * @returns {string[]} one item of a list each
 */
function fields(properties) {
  return Object.entries(properties)
    .filter(([name]) => name !== "$schema")
    .map(([name, schema]) => {
      const examples = (schema.examples ?? []).map((example) => `\`${JSON.stringify(example)}\``);
      const shown = examples.length === 0 ? "" : ` For example ${examples.join(", ")}.`;
      const inner = fields(schema.properties ?? {}).map((line) => `\n  - ${line.slice(2).replaceAll("\n", "\n  ")}`);
      return `- **\`${name}\`** (${typeName(schema)}): ${schema.description ?? ""}${shown}${inner.join("")}`;
    });
}

/**
 * @param {Schema} schema
 * @returns {string} a few words
 */
function typeName(schema) {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeName))].join(" or ");
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeName(schema.items ?? {})}s`;
  return schema.type ?? "anything";
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, text] of Object.entries(referencePages())) writeFileSync(join(ROOT, path), `${text.trimEnd()}\n`);
}
