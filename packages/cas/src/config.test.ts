import * as v from "valibot";
import { expect, test } from "vitest";
import { cacheConfig } from "./config.ts";

test("without a section the defaults hold", () => {
  const defaults = {
    dir: undefined,
    maxSizeBytes: 10_000_000_000,
    maxAgeMs: 30 * 24 * 3_600_000,
    digest: "sha256",
    outputMode: "copy",
    remote: undefined,
  };
  expect(v.parse(cacheConfig.schema, undefined)).toStrictEqual(defaults);
  expect(v.parse(cacheConfig.schema, {})).toStrictEqual(defaults);
});

test("sizes and ages are read as written", () => {
  const parsed = v.parse(cacheConfig.schema, { maxSize: "512MiB", maxAge: "2w", digest: "sha256", outputMode: "link" });
  expect(parsed).toMatchObject({
    maxSizeBytes: 2 ** 29,
    maxAgeMs: 14 * 24 * 3_600_000,
    digest: "sha256",
    outputMode: "link",
  });
});

test("all mistakes are named at once, each with what to write instead", () => {
  const parsed = v.safeParse(cacheConfig.schema, { maxSize: "ten", maxAge: "5", dir: "", digest: "sha1", maxsize: 1 });
  const messages = (parsed.issues ?? []).map((issue) => `${v.getDotPath(issue)}: ${issue.message}`);
  expect(messages).toHaveLength(5);
  expect(messages).toContain('maxSize: Write a size such as "10GB" or "512MiB", or a number of bytes.');
  expect(messages).toContain('maxAge: Write a duration such as "30d" or "12h", or a number of milliseconds.');
});

test("a shared cache needs its address and nothing else", () => {
  expect(v.parse(cacheConfig.schema, { remote: { url: "grpc://host:9092" } }).remote).toStrictEqual({
    url: "grpc://host:9092",
    mode: "rw",
    instance: "",
    headers: {},
    tokenEnv: "KAHN_REMOTE_TOKEN",
  });
  const wrong = {
    remote: { url: "host:9092", mode: "write", headers: { "a b": "c" }, tls: { ca: "" }, token: "secret" },
  };
  const parsed = v.safeParse(cacheConfig.schema, wrong);
  const paths = (parsed.issues ?? []).map((issue) => v.getDotPath(issue));
  expect(paths.sort()).toStrictEqual([
    "remote.headers.a b",
    "remote.mode",
    "remote.tls.ca",
    "remote.token",
    "remote.url",
  ]);
});
