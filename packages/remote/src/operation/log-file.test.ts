/** The access log's file: rotation, and a disk that is full. */
import assert from "node:assert/strict";
import type { FileSystem, Problem } from "@kahn/core";
import { FileSystemError } from "@kahn/core";
import { memoryFileSystem } from "@kahn/testing";
import { test } from "vitest";
import { LogFile } from "./log-file.ts";

const textOf = (fs: FileSystem, path: string) => Buffer.from(fs.readFile(path) ?? new Uint8Array()).toString();

test("after a rotation lines go on in a new file", () => {
  const fs = memoryFileSystem();
  const log = LogFile.open({ fs, path: "/access.log", report: () => assert.fail() });
  assert.ok(log.ok);
  log.value.write("one\n");
  fs.rename("/access.log", "/access.log.1");
  log.value.write("two\n");
  assert.ok(log.value.reopen().ok);
  log.value.write("three\n");
  log.value.close();
  assert.deepEqual([textOf(fs, "/access.log.1"), textOf(fs, "/access.log")], ["one\ntwo\n", "three\n"]);
});

test("a full disk costs lines and one warning, and the log goes on when there is room", () => {
  const fs = memoryFileSystem();
  let isFull = false;
  const filling: FileSystem = Object.assign(Object.create(fs) as FileSystem, {
    openAppend: (path: string) => {
      const file = fs.openAppend(path);
      const append = (bytes: Uint8Array) => {
        if (isFull) throw new FileSystemError("ENOSPC", "append to", path);
        return file.append(bytes);
      };
      return { ...file, append, close: () => file.close() };
    },
  });
  const told: Problem[] = [];
  const log = LogFile.open({ fs: filling, path: "/access.log", report: (problem) => void told.push(problem) });
  assert.ok(log.ok);
  isFull = true;
  log.value.write("lost\n");
  log.value.write("lost, too\n");
  isFull = false;
  log.value.write("kept\n");
  isFull = true;
  log.value.write("lost again\n");
  const codes = told.map(({ code, severity }) => [code, severity]);
  assert.deepEqual(
    codes,
    Array.from({ length: 2 }, () => ["serve-log-unwritable", "warning"]),
  );
  assert.equal(textOf(fs, "/access.log"), "kept\n");
});
