// Written by tools/protos.mjs from build/bazel/semver/semver.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";

/** `build.bazel.semver.SemVer` */
export interface SemVer {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  readonly prerelease: string;
}
export const SemVer: Codec<SemVer> = /* @__PURE__ */ codec("build.bazel.semver.SemVer", writeSemVer, readSemVer);

export function writeSemVer(writer: WireWriter, message: Init<SemVer>): void {
  if (message.prerelease) writer.string(34, message.prerelease);
  if (message.patch) writer.int32(24, message.patch);
  if (message.minor) writer.int32(16, message.minor);
  if (message.major) writer.int32(8, message.major);
}

export function readSemVer(reader: WireReader): SemVer {
  let major: number = 0;
  let minor: number = 0;
  let patch: number = 0;
  let prerelease = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 8:
        major = reader.int32("major");
        break;
      case 16:
        minor = reader.int32("minor");
        break;
      case 24:
        patch = reader.int32("patch");
        break;
      case 34:
        prerelease = reader.string("prerelease");
        break;
      default:
        reader.skip();
    }
  }
  return { major, minor, patch, prerelease };
}
