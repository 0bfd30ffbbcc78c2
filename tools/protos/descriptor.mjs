/** Reads a serialized `FileDescriptorSet` into plain objects. */
import { createRequire } from "node:module";

/**
 * @typedef {object} FieldDescriptor
 * @property {string} name
 * @property {string} jsonName
 * @property {number} number
 * @property {string} label `LABEL_REPEATED` or `LABEL_OPTIONAL`
 * @property {string} type for example `TYPE_STRING`
 * @property {string} [typeName] of a message or enum, with a leading dot
 * @property {number} [oneofIndex]
 * @property {boolean} [proto3Optional]
 * @property {object} [options]
 *
 * @typedef {object} EnumDescriptor
 * @property {string} name
 * @property {{ readonly name: string, readonly number: number }[]} value
 *
 * @typedef {object} MessageDescriptor
 * @property {string} name
 * @property {FieldDescriptor[]} [field]
 * @property {MessageDescriptor[]} [nestedType]
 * @property {EnumDescriptor[]} [enumType]
 * @property {{ readonly name: string }[]} [oneofDecl]
 * @property {{ readonly mapEntry?: boolean }} [options]
 *
 * @typedef {object} MethodDescriptor
 * @property {string} name
 * @property {string} inputType
 * @property {string} outputType
 * @property {boolean} [clientStreaming]
 * @property {boolean} [serverStreaming]
 *
 * @typedef {object} FileDescriptor
 * @property {string} name path as imported
 * @property {string} package
 * @property {MessageDescriptor[]} [messageType]
 * @property {EnumDescriptor[]} [enumType]
 * @property {{ readonly name: string, readonly method: MethodDescriptor[] }[]} [service]
 */

/**
 * The files of a set.
 *
 * @param {Uint8Array} set
 * @returns {FileDescriptor[]}
 */
export function descriptorOf(set) {
  // Loaded late and by require: it is CommonJS, and takes 100 ms.
  const { FileDescriptorSet } = createRequire(import.meta.url)("protobufjs/ext/descriptor");
  return FileDescriptorSet.toObject(FileDescriptorSet.decode(set), { enums: String }).file;
}
