/** What the section `cache` of the configuration says about size and age. */
import type { CacheConfig, GarbageLimits } from "@kahn/cas";
import type { WorkspaceModel } from "@kahn/workspace";

/** The section as its owner read it. */
export function cacheSection(model: WorkspaceModel): CacheConfig {
  return model.settings.sections.cache as CacheConfig;
}

/** Limits for collections of garbage. */
export function cacheLimits(model: WorkspaceModel): GarbageLimits {
  const { maxSizeBytes, maxAgeMs } = cacheSection(model);
  return { maxSizeBytes, maxAgeMs };
}
