/** The sections of the configuration that packages other than `workspace` own. */
import { cacheConfig } from "@kahn/cas";
import type { ConfigSection } from "@kahn/core";

/** All sections, to be read and checked with the rest of the configuration. */
export function configSections(): readonly ConfigSection<unknown>[] {
  return [cacheConfig];
}
