/** The protocols of HTTP paths: their names for metrics, and their switches. */
import { routeOf } from "../http/exchange/route.ts";
import type { ServerConfig } from "./server-settings.ts";

const OWN_PAGES: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/status", "/metrics"]);

/** A word for a path: one of few, whatever callers ask for. */
export function routeName(path: string): string {
  return OWN_PAGES.has(path) ? path.slice(1) : routeOf(path).kind;
}

/** False for a path of a protocol that is switched off. */
export function isServed(http: ServerConfig["http"], path: string): boolean {
  if (Object.values(http).every(Boolean)) return true;
  const { kind } = routeOf(path);
  switch (kind) {
    case "blob":
    case "action-result":
      return http.bazel;
    case "turborepo":
    case "nx":
    case "gradle":
      return http[kind];
    case "value":
      return http.ccache;
    case "actions-call":
    case "actions-blob":
      return http.githubActions;
    default:
      return true;
  }
}
