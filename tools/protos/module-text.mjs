/**
 * The TypeScript module of one .proto file: interfaces, codecs, enums, methods.
 *
 * What it emits is read more often than this: see packages/remote/src/proto/generated.
 */
import { basename } from "node:path";
import { fieldOf } from "./field-text.mjs";

/**
 * @typedef {import("./descriptor.mjs").FileDescriptor} FileDescriptor
 * @typedef {import("./descriptor.mjs").MessageDescriptor} MessageDescriptor
 * @typedef {import("./descriptor.mjs").EnumDescriptor} EnumDescriptor
 * @typedef {import("./field-text.mjs").FieldText} FieldText
 */

/**
 * A message or enum of any file.
 *
 * @typedef {object} Entry
 * @property {string} fullName with a leading dot
 * @property {string} name in TypeScript
 * @property {string} file name of its module
 * @property {MessageDescriptor} [message]
 * @property {EnumDescriptor} [enumeration]
 */

/**
 * File name of the module of a .proto file.
 *
 * @param {string} path
 */
export function moduleName(path) {
  return `${basename(path, ".proto").replaceAll("_", "-")}.ts`;
}

/**
 * The module of one file.
 *
 * @param {FileDescriptor} file
 * @param {readonly FileDescriptor[]} all every file that it may refer to
 * @returns {string}
 */
export function moduleText(file, all) {
  const entries = new Map(all.flatMap(entriesOf).map((entry) => [entry.fullName, entry]));
  const imports = new Map();
  const own = moduleName(file.name);
  /** @param {string} fullName @param {string} prefix */
  const use = (fullName, prefix = "") => {
    const entry = entries.get(fullName);
    if (entry === undefined) throw new Error(`${fullName} is in no file`);
    const name = prefix + entry.name;
    if (entry.file !== own) imports.set(entry.file, new Set([...(imports.get(entry.file) ?? []), name]));
    return name;
  };
  const parts = [];
  for (const entry of entriesOf(file)) {
    if (entry.enumeration !== undefined) parts.push(enumText(entry, entry.enumeration));
    else if (entry.message !== undefined) parts.push(...messageText(entry, { entries, use }));
  }
  for (const service of file.service ?? []) parts.push(serviceText(file, service, use));
  const body = parts.join("\n");
  return [
    `// Written by tools/protos.mjs from ${file.name}. Do not edit.\n`,
    ...headImports(body, imports),
    "\n",
    body,
  ].join("");
}

/**
 * @param {string} body
 * @param {ReadonlyMap<string, ReadonlySet<string>>} imports
 */
function headImports(body, imports) {
  const types = ["Codec", "Init", "OneOf"].filter((name) => new RegExp(`\\b${name}<`).test(body));
  const lines = [];
  if (types.length > 0) lines.push(`import type { ${types.join(", ")} } from "../codec.ts";\n`);
  if (types.includes("Codec")) lines.push('import { codec } from "../codec.ts";\n');
  const values = ["NO_BYTES"].filter((name) => body.includes(name));
  if (body.includes("new WireReader")) values.push("WireReader");
  else if (body.includes("WireReader")) values.push("type WireReader");
  if (values.length > 0) lines.push(`import { ${values.join(", ")} } from "../wire-reader.ts";\n`);
  if (body.includes("WireWriter")) lines.push('import type { WireWriter } from "../wire-writer.ts";\n');
  for (const [module, names] of [...imports].sort()) {
    lines.push(`import { ${[...names].sort().join(", ")} } from "./${module}";\n`);
  }
  return lines;
}

/**
 * All messages and enums of a file, outer before inner; a message that only gives an enum its name is left out.
 *
 * @param {FileDescriptor} file
 * @returns {Entry[]}
 */
function entriesOf(file) {
  const module = moduleName(file.name);
  /** @type {Entry[]} */
  const entries = [];
  /** @param {string} scope @param {string} prefix @param {Pick<MessageDescriptor, "enumType"> & { types?: MessageDescriptor[] }} of */
  const visit = (scope, prefix, of) => {
    for (const enumeration of of.enumType ?? []) {
      const fullName = `${scope}.${enumeration.name}`;
      entries.push({ fullName, name: prefix + enumeration.name, file: module, enumeration });
    }
    for (const message of of.types ?? []) {
      const fullName = `${scope}.${message.name}`;
      const name = prefix + message.name;
      const isNameOnly = !message.field?.length && (message.enumType?.length ?? 0) > 0;
      if (!isNameOnly) entries.push({ fullName, name, file: module, message });
      visit(fullName, name, { enumType: message.enumType ?? [], types: message.nestedType ?? [] });
    }
  };
  visit(`.${file.package}`, "", { enumType: file.enumType ?? [], types: file.messageType ?? [] });
  return entries;
}

/** @param {Entry} entry @param {EnumDescriptor} enumeration */
function enumText({ fullName, name }, enumeration) {
  const values = enumeration.value.map((value) => `  ${value.name}: ${value.number},\n`);
  return `/** Values of \`${fullName.slice(1)}\`; a newer sender may have others. */
export const ${name} = {
${values.join("")}} as const;
export type ${name} = number;
`;
}

/**
 * @param {Entry} entry
 * @param {{ entries: ReadonlyMap<string, Entry>, use: (fullName: string, prefix?: string) => string }} scope
 * @returns {string[]}
 */
function messageText(entry, scope) {
  const { message, name, fullName } = entry;
  if (message === undefined || message.options?.mapEntry) return [];
  const fields = [...(message.field ?? [])].sort((a, b) => a.number - b.number);
  const texts = fields.map((field) => fieldOf(field, { ...scope, message }));
  const members = new Map(texts.map((text) => [text.property, text]));
  const typed = [...members.values()].map(({ property, type }) => `  readonly ${property}: ${type};\n`);
  const declared = [...members.values()].map(({ declaration }) => `  ${declaration}\n`);
  const returned = [...members.values()].map(({ property, local }) =>
    property === local ? property : `${property}: ${local}`,
  );
  return [
    `/** \`${fullName.slice(1)}\` */
export interface ${name} {
${typed.join("")}}
export const ${name}: Codec<${name}> = /* @__PURE__ */ codec("${fullName.slice(1)}", write${name}, read${name});
`,
    `export function write${name}(${fields.length === 0 ? "_" : ""}writer: WireWriter, ${fields.length === 0 ? "_" : ""}message: Init<${name}>): void {
${texts
  .map(({ write }) => indented(write, 2))
  .reverse()
  .join("")}}
`,
    `export function read${name}(reader: WireReader): ${name} {
${declared.join("")}  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
${fields.length === 0 ? "    reader.skip();\n" : switchText(texts)}  }
  return {${returned.length === 0 ? "" : ` ${returned.join(", ")} `}};
}
`,
  ];
}

/** @param {readonly FieldText[]} texts */
function switchText(texts) {
  const cases = texts.flatMap(({ cases }) => cases);
  return `    switch (tag) {
${cases.map(({ tag, body }) => `      case ${tag}:\n${indented(body, 8)}        break;\n`).join("")}      default:
        reader.skip();
    }
`;
}

/**
 * @param {FileDescriptor} file
 * @param {NonNullable<FileDescriptor["service"]>[number]} service
 * @param {(fullName: string) => string} use
 */
function serviceText(file, service, use) {
  const fullName = `${file.package}.${service.name}`;
  const methods = service.method.map(
    (method) => `  ${method.name[0]?.toLowerCase()}${method.name.slice(1)}: {
    path: "/${fullName}/${method.name}",
    request: ${use(method.inputType)},
    response: ${use(method.outputType)},
    requestStream: ${method.clientStreaming ?? false},
    responseStream: ${method.serverStreaming ?? false},
  },
`,
  );
  return `/** Methods of \`${fullName}\`; each is a \`Method\` of ../codec.ts. */
export const ${service.name}Methods = {
${methods.join("")}} as const;
`;
}

/** @param {string} text @param {number} columns */
function indented(text, columns) {
  return text.replace(/^(?=.)/gm, " ".repeat(columns));
}
