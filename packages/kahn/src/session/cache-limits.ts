/** What the section `cache` of the configuration says about size and age. */
import type { CacheConfigValue, GarbageLimits } from "@kahn/cas";
import type { WorkspaceModel } from "@kahn/workspace";

/** Limits for collections of garbage. */
export function cacheLimits(model: WorkspaceModel): GarbageLimits {
  const { maxSize, maxAge } = model.settings.sections.cache as Partial<CacheConfigValue>;
  return {
    ...(maxSize === undefined ? {} : { maxSizeBytes: maxSize }),
    ...(maxAge === undefined ? {} : { maxAgeMs: maxAge }),
  };
}
