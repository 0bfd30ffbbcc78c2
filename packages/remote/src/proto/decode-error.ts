/** The one error that decoding throws: the bytes are not the message they should be. */

/** Bytes that are no message of this type. `path` is empty when the message itself, not a field, is wrong. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  /** Full name of the message that was to be read, for example `google.rpc.Status`; empty inside a reader. */
  readonly typeName: string;
  /** The fields down to the wrong one, by their names in the .proto file: `requests.digest.hash`. */
  readonly path: string;
  /** Which rule is broken, without type and path. */
  readonly reason: string;

  constructor(parts: { readonly typeName: string; readonly path: string; readonly reason: string }) {
    const { typeName, path, reason } = parts;
    super(`${typeName || "message"}${path === "" ? "" : ` field ${path}`}: ${reason}`);
    this.typeName = typeName;
    this.path = path;
    this.reason = reason;
  }
}
