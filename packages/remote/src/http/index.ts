/** The cache protocols that are spoken over HTTP. */
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from "./exchange/exchange.ts";
export {
  type HttpCaches,
  type HttpCachesOptions,
  httpCaches,
  type Identified,
} from "./http-caches.ts";
