/** The target of a request: one reading for all who judge by its path, so that none can be walked past. */

/** A request target, in two parts. */
export interface RequestTarget {
  /** As it came, still encoded. */
  readonly path: string;
  /** What stands behind the question mark. */
  readonly query: string;
}

/** Path and query of a request target, also of one in absolute form. */
export function requestTarget(url: string): RequestTarget {
  const start = url.startsWith("/") ? 0 : Math.max(0, url.indexOf("/", url.indexOf("//") + 2));
  const mark = url.indexOf("?", start);
  return mark === -1
    ? { path: url.slice(start), query: "" }
    : { path: url.slice(start, mark), query: url.slice(mark + 1) };
}
