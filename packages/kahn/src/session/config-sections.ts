/**
 * The sections of the configuration that packages other than `workspace` own.
 *
 * Each package gives its section through an entry of its own: schemas load a validator, which only reading needs.
 */
import { cacheConfig } from "@kahn/cas/config";
import type { ConfigSection } from "@kahn/core";

/** All sections, to be read and checked with the rest of the configuration. */
export function configSections(): readonly ConfigSection<unknown>[] {
  return [cacheConfig];
}
