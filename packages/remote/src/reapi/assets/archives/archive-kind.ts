/** Which archives are unpacked, by their addresses. */

/** A kind of archive. */
export type ArchiveKind = "tar" | "tar.gz" | "tar.zst" | "zip";

const ENDINGS: readonly (readonly [ending: string, kind: ArchiveKind])[] = [
  [".tar", "tar"],
  [".tar.gz", "tar.gz"],
  [".tgz", "tar.gz"],
  [".tar.zst", "tar.zst"],
  [".tzst", "tar.zst"],
  [".zip", "zip"],
];

/** The kind that the path of an address ends with; `undefined` when it names none. */
export function archiveKind(uri: string): ArchiveKind | undefined {
  const path = (URL.canParse(uri) ? new URL(uri).pathname : uri).toLowerCase();
  return ENDINGS.find(([ending]) => path.endsWith(ending))?.[1];
}
