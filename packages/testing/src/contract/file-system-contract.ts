/** The contract of `FileSystem`, as Linux keeps it; where macOS answers with another errno, both are taken. */
import type { ContractCase, MakeSubject } from "./contract-case.ts";
import { contractCases } from "./contract-case.ts";
import { NAMES } from "./file-system-names.ts";
import { READING } from "./file-system-reading.ts";
import type { FileSystemSubject } from "./file-system-subject.ts";
import { WRITING } from "./file-system-writing.ts";

/** The cases for a file system. */
export function fileSystemContract(make: MakeSubject<FileSystemSubject>): readonly ContractCase[] {
  return contractCases(make, { ...READING, ...WRITING, ...NAMES });
}
