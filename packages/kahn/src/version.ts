/** The version of Kahn: that of the published package. Kept apart, so that `--version` loads nothing else. */
import { version } from "../package.json";

/** For example `1.4.0`. */
export const VERSION: string = version;
