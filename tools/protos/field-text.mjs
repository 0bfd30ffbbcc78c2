/** How one field is declared, written and read. */

/**
 * @typedef {import("./descriptor.mjs").FieldDescriptor} FieldDescriptor
 * @typedef {import("./descriptor.mjs").MessageDescriptor} MessageDescriptor
 * @typedef {import("./module-text.mjs").Entry} Entry
 *
 * @typedef {object} FieldText
 * @property {string} property name in the interface; the arms of a oneof share one
 * @property {string} local name of the variable that a decoder fills
 * @property {string} type
 * @property {string} declaration of the variable
 * @property {string} write statements
 * @property {{ readonly tag: number, readonly body: string }[]} cases of a decoder
 *
 * @typedef {object} Scope
 * @property {ReadonlyMap<string, Entry>} entries
 * @property {(fullName: string, prefix?: string) => string} use name of a type, which is then imported
 * @property {MessageDescriptor} message
 */

/** Method of reader and writer, TypeScript type, default value and wire type of each scalar type that is in use. */
const SCALARS = /** @type {Record<string, { method: string, type: string, zero: string, wire: number }>} */ ({
  TYPE_DOUBLE: { method: "double", type: "number", zero: "0", wire: 1 },
  TYPE_FLOAT: { method: "float", type: "number", zero: "0", wire: 5 },
  TYPE_INT64: { method: "int64", type: "number", zero: "0", wire: 0 },
  TYPE_UINT64: { method: "uint64", type: "number", zero: "0", wire: 0 },
  TYPE_INT32: { method: "int32", type: "number", zero: "0", wire: 0 },
  TYPE_UINT32: { method: "uint32", type: "number", zero: "0", wire: 0 },
  TYPE_ENUM: { method: "int32", type: "number", zero: "0", wire: 0 },
  TYPE_BOOL: { method: "bool", type: "boolean", zero: "false", wire: 0 },
  TYPE_STRING: { method: "string", type: "string", zero: '""', wire: 2 },
  TYPE_BYTES: { method: "bytes", type: "Uint8Array", zero: "NO_BYTES", wire: 2 },
});

/** Names that no variable may have in a module. */
const RESERVED = /^(arguments|default|delete|function|in|new|package|switch|this|void|with|reader|tag)$/;

/**
 * @param {FieldDescriptor} field
 * @param {Scope} scope
 * @returns {FieldText}
 */
export function fieldOf(field, scope) {
  const isRepeated = field.label === "LABEL_REPEATED";
  const entry = scope.entries.get(field.typeName ?? "")?.message;
  if (isRepeated && entry?.options?.mapEntry) return mapField(field, entry, scope);
  if (isRepeated) return listField(field, scope);
  if (field.oneofIndex !== undefined && !field.proto3Optional) return oneofField(field, scope);
  return singleField(field, scope);
}

/** @param {FieldDescriptor} field @param {Scope} scope @returns {FieldText} */
function singleField(field, scope) {
  const { property, local, access } = namesOf(field.jsonName);
  const value = valueText(field, scope);
  const isOptional = value.isMessage || field.proto3Optional === true;
  const isSet = isOptional ? `${access} !== undefined` : isNotZero(field.type, access);
  return {
    property,
    local,
    type: isOptional ? `${value.type} | undefined` : value.type,
    declaration: isOptional
      ? `let ${local}: ${value.type} | undefined;`
      : `let ${local}${annotated(value)} = ${value.zero};`,
    write: block(`if (${isSet})`, value.write(access, "length")),
    cases: [{ tag: value.tag, body: value.read((read) => `${local} = ${read};\n`) }],
  };
}

/** @param {FieldDescriptor} field @param {Scope} scope @returns {FieldText} */
function listField(field, scope) {
  const { property, local, access } = namesOf(field.jsonName);
  const value = valueText(field, scope);
  const isPacked = value.wire === 0;
  if (!isPacked && value.wire !== 2) throw new Error(`${field.name}: no list of ${field.type} is in use so far`);
  const packedTag = field.number * 8 + 2;
  const write = isPacked
    ? `if (${access}?.length) writer.packed(${packedTag}, ${access});\n`
    : block(
        `if (${access} !== undefined) for (let index = ${access}.length - 1; index >= 0; index--)`,
        value.write(`${access}[index]!`, "length"),
      );
  const cases = [{ tag: value.tag, body: value.read((read) => `${local}.push(${read});\n`) }];
  if (isPacked) {
    const body = `reader.packed("${field.name}", () => void ${local}.push(${value.expression}));\n`;
    cases.push({ tag: packedTag, body });
  }
  const declaration = `const ${local}: ${value.type}[] = [];`;
  return { property, local, type: `readonly ${value.type}[]`, declaration, write, cases };
}

/** @param {FieldDescriptor} field @param {MessageDescriptor} entry @param {Scope} scope @returns {FieldText} */
function mapField(field, entry, scope) {
  const { property, local, access } = namesOf(field.jsonName);
  const [keyField, valueField] = entry.field ?? [];
  if (keyField?.type !== "TYPE_STRING" || valueField === undefined) throw new Error(`${field.name}: only text keys`);
  const value = valueText(valueField, scope);
  const tag = field.number * 8 + 2;
  const zero = value.isMessage
    ? `${scope.use(valueField.typeName ?? "", "read")}(new WireReader(NO_BYTES))`
    : value.zero;
  return {
    property,
    local,
    type: `ReadonlyMap<string, ${value.type}>`,
    declaration: `const ${local} = new Map<string, ${value.type}>();`,
    write: `if (${access} !== undefined) for (const [key, value] of [...${access}].reverse()) {
  const start = writer.length;
${value.write("value", "length").replace(/^(?=.)/gm, "  ")}  writer.string(10, key);
  writer.close(${tag}, start);
}
`,
    cases: [
      {
        tag,
        body: `{
  const outer = reader.enter("${field.name}");
  let key = "";
  let value: ${value.type} | undefined;
  for (let inner = reader.next(); inner !== 0; inner = reader.next()) {
    switch (inner) {
      case 10:
        key = reader.string("key");
        break;
      case ${value.tag}:
${value.read((read) => `value = ${read};\n`).replace(/^(?=.)/gm, "        ")}        break;
      default:
        reader.skip();
    }
  }
  reader.leave(outer);
  ${local}.set(key, value ?? ${zero});
}
`,
      },
    ],
  };
}

/** @param {FieldDescriptor} field @param {Scope} scope @returns {FieldText} */
function oneofField(field, scope) {
  const declared = scope.message.oneofDecl?.[field.oneofIndex ?? 0]?.name ?? "";
  const { property, local, access } = namesOf(declared.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()));
  const arms = (scope.message.field ?? []).filter((other) => other.oneofIndex === field.oneofIndex);
  const types = arms.map((arm) => `OneOf<"${arm.jsonName}", ${valueText(arm, scope).type}>`);
  const type = `${types.join(" | ")} | undefined`;
  const value = valueText(field, scope);
  return {
    property,
    local,
    type,
    declaration: `let ${local}: ${type};`,
    write: block(`if (${access}?.kind === "${field.jsonName}")`, value.write(`${access}.value`, "length")),
    cases: [
      { tag: value.tag, body: value.read((read) => `${local} = { kind: "${field.jsonName}", value: ${read} };\n`) },
    ],
  };
}

/**
 * How one value of a field, whatever its label, is written and read.
 *
 * @param {FieldDescriptor} field
 * @param {Scope} scope
 */
function valueText(field, scope) {
  const scalar = SCALARS[field.type];
  if (scalar !== undefined) {
    const { method, wire, zero } = scalar;
    const type = field.type === "TYPE_ENUM" ? scope.use(field.typeName ?? "") : scalar.type;
    const tag = field.number * 8 + wire;
    const expression = `reader.${method}("${field.name}")`;
    return {
      isMessage: false,
      type,
      zero,
      wire,
      tag,
      expression,
      /** @param {string} access */
      write: (access) => `writer.${method}(${tag}, ${access});\n`,
      /** @param {(read: string) => string} assign */
      read: (assign) => assign(expression),
    };
  }
  if (field.type !== "TYPE_MESSAGE") throw new Error(`${field.name}: ${field.type} is not in use so far`);
  const type = scope.use(field.typeName ?? "");
  const read = scope.use(field.typeName ?? "", "read");
  const write = scope.use(field.typeName ?? "", "write");
  const tag = field.number * 8 + 2;
  return {
    isMessage: true,
    type,
    zero: "undefined",
    wire: 2,
    tag,
    expression: `${read}(reader)`,
    /** @param {string} access @param {string} start */
    write: (access, start) =>
      `const ${start} = writer.length;\n${write}(writer, ${access});\nwriter.close(${tag}, ${start});\n`,
    /** @param {(read: string) => string} assign */
    read: (assign) =>
      `{\n  const outer = reader.enter("${field.name}");\n  ${assign(`${read}(reader)`)}  reader.leave(outer);\n}\n`,
  };
}

/**
 * A condition that holds unless the value is left out or the default.
 *
 * @param {string} type
 * @param {string} access
 */
function isNotZero(type, access) {
  if (type === "TYPE_BYTES") return `${access} !== undefined && ${access}.length > 0`;
  // NaN and -0 are not the default.
  if (/DOUBLE|FLOAT/.test(type)) return `${access} !== undefined && !Object.is(${access}, 0)`;
  return access;
}

/** @param {string} property */
function namesOf(property) {
  return { property, local: RESERVED.test(property) ? `${property}_` : property, access: `message.${property}` };
}

/** @param {ReturnType<typeof valueText>} value */
function annotated(value) {
  return value.type === "Uint8Array" || value.zero === "0" ? `: ${value.type}` : "";
}

/** @param {string} head @param {string} body */
function block(head, body) {
  if (body.trimEnd().split("\n").length === 1) return `${head} ${body}`;
  return `${head} {\n${body.replace(/^(?=.)/gm, "  ")}}\n`;
}
