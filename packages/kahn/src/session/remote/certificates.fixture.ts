/** Certificates for tests of the whole, made by the openssl of the machine. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, PEM. */
interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** An authority, a server of it at 127.0.0.1, a client of it, and a client of nobody's. Made anew, in a second. */
export function makeCertificates(): Readonly<Record<"authority" | "server" | "client" | "stranger", KeyPair>> {
  const folder = mkdtempSync(join(tmpdir(), "kahn-certificates-"));
  const openssl = (args: string) => execFileSync("openssl", args.split(" "), { stdio: "pipe", cwd: folder });
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  const make = (name: string, by: string) => openssl(`req ${key} -keyout ${name}.key -subj /CN=${name} ${by}`);
  const sign = (name: string, names: string) => {
    make(name, `-out ${name}.csr`);
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
    const authority = "-CA authority.pem -CAkey authority.key -CAcreateserial";
    openssl(`x509 -req -in ${name}.csr ${authority} -out ${name}.pem -extfile ${name}.ext`);
  };
  const read = (name: string): KeyPair => ({
    certificate: readFileSync(join(folder, `${name}.pem`), "utf8"),
    key: readFileSync(join(folder, `${name}.key`), "utf8"),
  });
  try {
    make("authority", "-x509 -out authority.pem");
    make("stranger", "-x509 -out stranger.pem");
    sign("server", "DNS:localhost,IP:127.0.0.1");
    sign("client", "DNS:client.example");
    return { authority: read("authority"), server: read("server"), client: read("client"), stranger: read("stranger") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
