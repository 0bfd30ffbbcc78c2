/**
 * Clients that lie, dawdle, vanish or send rubbish, and a disk that fills: everybody else is served, nothing wrong is
 * stored, and memory stays bounded.
 *
 * Method: the built `kahn serve`; clients are raw sockets, raw HTTP/2 and a client that shares nothing with the server.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { mountSmallDisk } from "../crash/rig/small-disk.ts";
import { makeCertificates } from "./rig/real-clients.ts";
import { type Digest, digestOf, ReapiClient } from "./rig/reapi-client.ts";
import { endServers, type Served, serve } from "./rig/served.ts";

const scale = Number(process.env.KAHN_TEST_SCALE ?? 1);
const MIB = 1024 * 1024;
/** At the full scale 64 streams of 256 MiB. */
const STREAMS = scale >= 10 ? 64 : 16;
const STREAM_BYTES = (scale >= 10 ? 256 : 24) * MIB;

describe("bad clients", { timeout: 600_000 }, () => {
  let server: Served;
  let client: ReapiClient;

  beforeAll(async () => {
    server = await serve({ config: "execution: { enabled: false }" });
    client = new ReapiClient(server.address);
  });
  afterAll(async () => {
    client.close();
    await endServers(server.base);
  });

  /** Somebody else's round trip. */
  async function expectServed(): Promise<void> {
    const [digest] = await client.put([randomBytes(1000)]);
    expect(await client.missing([digest!])).toEqual([]);
    expect((await fetch(`http://${server.address}/healthz`)).status).toBe(200);
  }

  test("500 connections that say nothing, or half of something, or rubbish, keep nobody from being served", async () => {
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const openings = [
      "",
      "PRI * HT",
      preface,
      `${preface}\0\0\0\x04\0\0\0\0\0\0\x10`,
      "GET / HTTP/1.1\r\nHost: x\r\nX-",
      "PUT /cas/00 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n",
      "\x16\x03\x01\x02\0\x01\0",
      randomBytes(400),
      `${preface}${randomBytes(300).toString("latin1")}`,
      "A".repeat(100_000),
    ];
    const before = server.memory().now;
    const sockets: Socket[] = [];
    for (let at = 0; at < 500; at++) {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      const opening = openings[at % openings.length]!;
      socket.write(typeof opening === "string" ? Buffer.from(opening, "latin1") : opening);
      if (at % 3 === 0) socket.end();
      sockets.push(socket);
    }
    await expectServed();
    expect(server.memory().now - before).toBeLessThan(150 * MIB);
    for (const socket of sockets) socket.destroy();
    await expectServed();
    await eventually("their connections are gone", async () => {
      const metrics = await (await fetch(`http://${server.address}/metrics`)).text();
      return Number(/^kahn_connections (\d+)/m.exec(metrics)?.[1]) < 10;
    });
    expect(server.told()).toBe("");
  });

  test("malformed frames end their own call, with a status", async () => {
    const session = connectHttp2(`http://${server.address}`);
    const path = "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs";
    const statusOf = (body: Buffer, headers: Record<string, string> = {}) =>
      new Promise<string>((resolve, reject) => {
        const all = {
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc",
          te: "trailers",
          ...headers,
        };
        const call = session.request(all);
        let status: unknown;
        call.on("response", (it) => (status = it["grpc-status"] ?? status));
        call.on("trailers", (it) => (status = it["grpc-status"] ?? status));
        call.on("close", () => resolve(String(status)));
        call.on("error", reject);
        call.resume();
        call.end(body);
      });
    const frame = (length: number, bytes: Buffer, flag = 0) => {
      const head = Buffer.alloc(5);
      head[0] = flag;
      head.writeUInt32BE(length, 1);
      return Buffer.concat([head, bytes]);
    };
    expect(await statusOf(frame(0, Buffer.alloc(0)))).toBe("0");
    expect(await statusOf(frame(0xffff_ffff, Buffer.alloc(10)))).toBe("8");
    expect(await statusOf(frame(100, Buffer.alloc(10)))).toBe("13");
    expect(await statusOf(frame(3, Buffer.from([0x12, 0x7f, 1])))).toMatch(/^(3|13)$/);
    expect(await statusOf(frame(3, Buffer.from("abc"), 1))).toBe("13");
    expect(await statusOf(frame(3, Buffer.from("abc"), 1), { "grpc-encoding": "gzip" })).toMatch(/^(3|13)$/);
    expect(await statusOf(Buffer.concat([frame(0, Buffer.alloc(0)), frame(0, Buffer.alloc(0))]))).toMatch(
      /^(12|13|3)$/,
    );
    session.close();
    await expectServed();
  });

  test("lies about hash or size are refused by every protocol, and nothing of them is stored", async () => {
    const honest = randomBytes(5000);
    const { hash, sizeBytes } = digestOf(honest);
    const other = randomBytes(5000);
    const codeOf = (call: Promise<unknown>) => call.then(() => 0).catch(({ code }: { code: number }) => code);
    const requests = [{ digest: { hash, sizeBytes }, data: other }];
    const batch = await client.unary<{ responses: { status: { code: number } }[] }>(
      "ContentAddressableStorage/BatchUpdateBlobs",
      { requests },
    );
    expect(batch.responses[0]!.status.code).toBe(3);
    expect(await codeOf(client.write({ hash, sizeBytes }, [other]))).toBe(3);
    expect(await codeOf(client.write({ hash, sizeBytes: 4000 }, [honest]))).toBe(3);
    expect(await codeOf(client.write({ hash, sizeBytes: 6000 }, [honest]))).toBe(3);
    expect(await codeOf(client.write({ hash: hash.toUpperCase(), sizeBytes }, [honest]))).toBe(3);
    expect(await codeOf(client.write({ hash: `../${hash.slice(3)}`, sizeBytes }, [honest]))).toBe(3);
    const put = await fetch(`http://${server.address}/cas/${hash}`, { method: "PUT", body: other });
    expect(put.status).toBe(400);
    const sizes = [0, 4000, 5000, 6000].map((size): Digest => ({ hash, sizeBytes: size }));
    expect(await client.missing(sizes.slice(1))).toHaveLength(3);
    expect((await fetch(`http://${server.address}/cas/${hash}`)).status).toBe(404);
    expect(await client.write({ hash, sizeBytes }, [honest])).toBe(5000);
    await expectServed();
  });

  test("a decompression bomb is refused and never held", async () => {
    const before = server.memory().peak;
    const bomb = zstdZeros(4096);
    const { hash } = digestOf(randomBytes(10));
    for (const size of [10, 100 * MIB]) {
      const requests = [{ digest: { hash, sizeBytes: size }, data: bomb, compressor: 1 }];
      const code = await client
        .unary<{ responses: { status: { code: number } }[] }>("ContentAddressableStorage/BatchUpdateBlobs", {
          requests,
        })
        .then(({ responses }) => responses[0]!.status.code)
        .catch((error: { code: number }) => error.code);
      expect([3, 8]).toContain(code);
      const streamed = await client.writeCompressed({ hash, sizeBytes: size }, [bomb]).catch(({ code: it }) => it);
      expect([3, 8]).toContain(streamed);
    }
    expect(server.memory().peak - before).toBeLessThan(250 * MIB);
    await expectServed();
  });

  test(`memory is bounded while ${STREAMS} clients write ${STREAM_BYTES / MIB} MiB each, and read slowly`, async () => {
    const clients = Array.from({ length: STREAMS }, () => new ReapiClient(server.address));
    const digests = seededDigests(STREAMS);
    const sizes = await Promise.all(clients.map((each, index) => each.write(digests[index]!, seededPieces(index))));
    expect(sizes).toEqual(clients.map(() => STREAM_BYTES));
    const written = server.memory().peak;
    await Promise.all(
      clients.map(async (each, index) => {
        const hash = createHash("sha256");
        await each.read(digests[index]!, (bytes) => void hash.update(bytes));
        expect(hash.digest("hex")).toBe(digests[index]!.hash);
      }),
    );
    const read = server.memory().peak;
    for (const each of clients) each.close();
    console.log(`counts: ${STREAMS} × ${STREAM_BYTES / MIB} MiB: peak ${mib(written)} written, ${mib(read)} read`);
    expect(read).toBeLessThan((250 + 9 * STREAMS) * MIB);
  });
});

describe("surroundings", { timeout: 120_000 }, () => {
  test("a disk that fills: writes are refused by every protocol, reads go on, and space heals it", async ({ skip }) => {
    const first = await serve({ config: "execution: { enabled: false }" });
    await first.stop();
    // Before the disk is mounted: what is registered last is done first.
    onTestFinished(() => endServers(first.base));
    const disk = mountSmallDisk(first.store, 24 * MIB);
    if (typeof disk === "string") return skip(disk);
    const server = await first.killAndRestart();
    const client = new ReapiClient(server.address);
    const kept = randomBytes(50_000);
    const [digest] = await client.put([kept]);
    disk.fill();
    const codes = [
      await client.put([randomBytes(100_000)]).catch((error: { code: number }) => error.code),
      await client.write(digestOf(kept.subarray(1)), [kept.subarray(1)]).catch((error: { code: number }) => error.code),
    ];
    expect(codes).toEqual([8, 8]);
    const put = (name: string, body: Buffer) => fetch(`http://${server.address}/${name}`, { method: "PUT", body });
    const refused = [
      (await put(`v8/artifacts/0123456789abcdef`, randomBytes(100_000))).status,
      (await put(`ccache/key`, randomBytes(100_000))).status,
    ];
    expect(refused).toEqual([507, 507]);
    expect((await fetch(`http://${server.address}/healthz`)).status).toBe(200);
    await client.read(digest!);
    disk.free();
    const again = randomBytes(100_000);
    await eventually("it heals", () =>
      client
        .put([again])
        .then(() => true)
        .catch(() => false),
    );
    expect(await client.missing([digestOf(again), digest!])).toEqual([]);
    expect((await fetch(`http://${server.address}/readyz`)).status).toBe(200);
    client.close();
    await server.kill();
  });

  test("mTLS: who has a certificate of the authority is let in, who has none or another's is not", async () => {
    const first = await serve();
    await first.kill();
    const folder = join(first.base, "tls");
    makeCertificates(folder);
    makeCertificates(join(folder, "stranger"));
    const server = await serve({
      base: first.base,
      config: `tls:
  certificate: ${folder}/server.pem
  key: ${folder}/server.key
  clientAuthorities: ${folder}/ca.pem
  clientCertificate: require
access:
  rules: [{ who: "cert:client", allow: [write] }]
`,
    });
    const pem = (name: string) => readFileSync(join(folder, name));
    const ask = async (tls: ReturnType<typeof credentials.createSsl>) => {
      const client = new ReapiClient(server.address, { tls });
      const answer = await client.put([Buffer.from("x")]).then(
        () => "stored",
        ({ code }: { code: number }) => code,
      );
      client.close();
      return answer;
    };
    expect(await ask(credentials.createSsl(pem("ca.pem"), pem("client.key"), pem("client.pem")))).toBe("stored");
    // The server's own certificate is of the authority, but its name has no right.
    expect(await ask(credentials.createSsl(pem("ca.pem"), pem("server.key"), pem("server.pem")))).toBe(7);
    expect(await ask(credentials.createSsl(pem("ca.pem")))).toBe(14);
    const stranger = [pem("stranger/client.key"), pem("stranger/client.pem")] as const;
    expect(await ask(credentials.createSsl(pem("ca.pem"), ...stranger))).toBe(14);
    await server.kill();
    await endServers(first.base);
  });
});

/** Asks again and again until it is so, for 20 seconds. */
async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 400) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}

const noise = randomBytes(MIB);

/** Content that is cheap to make and to hash: all pieces but the last are the same for each stream. */
function* seededPieces(seed: number): Generator<Buffer> {
  for (let left = STREAM_BYTES / MIB; left > 0; left--) {
    const piece = Buffer.from(noise);
    piece.writeUInt32LE(left, 0);
    if (left === 1) piece.writeUInt32LE(seed, 4);
    yield piece;
  }
}

/** The digests of streams 0 up to `count`. */
function seededDigests(count: number): Digest[] {
  const common = createHash("sha256");
  const pieces = [...seededPieces(0)];
  for (const piece of pieces.slice(0, -1)) common.update(piece);
  return Array.from({ length: count }, (_, seed) => {
    const last = Buffer.from(pieces.at(-1)!);
    last.writeUInt32LE(seed, 4);
    return { hash: common.copy().update(last).digest("hex"), sizeBytes: STREAM_BYTES };
  });
}

/** A frame of so many mebibytes of zeros: run-length blocks, four bytes for 128 KiB. */
function zstdZeros(mebibytes: number): Buffer {
  const blocks = mebibytes * 8;
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
  const body = Buffer.alloc(blocks * 4);
  for (let at = 0; at < blocks; at++)
    body.writeUIntLE((131_072 << 3) | (1 << 1) | (at === blocks - 1 ? 1 : 0), at * 4, 3);
  return Buffer.concat([head, body]);
}
