/** How a package declares the part of the configuration that is its own; `kahn` composes all of them. */
import type { GenericSchema } from "valibot";

/** A part of the configuration file, owned by one package. */
export interface ConfigSection<Value> {
  /** The key in `kahn.jsonc`. */
  readonly key: string;
  /** Validates, fills in defaults, and carries titles and descriptions for the JSON Schema. */
  readonly schema: GenericSchema<unknown, Value>;
}
