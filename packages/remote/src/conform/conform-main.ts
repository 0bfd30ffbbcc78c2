#!/usr/bin/env node
/**
 * The program `reapi-conform`, a file by itself: checks any REAPI server.
 *
 * Owns:      the process: its arguments, its streams, its exit code.
 */
import { readFileSync } from "node:fs";
import { nodeClock } from "@kahn/system";
import { conform } from "./conform.ts";

// grpc-js names servers by address to TLS, of which Node warns; whoever runs this can do nothing about it.
process.noDeprecation = true;
process.exitCode = await conform(process.argv.slice(2), {
  clock: nodeClock(),
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  readFile: (path) => readFileSync(path),
});
