/** Certificates for tests, made by the openssl of the machine; `undefined` where there is none. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** An authority, a server named localhost and 127.0.0.1, a client of that authority, and a client of nobody's. */
export interface TestCertificates {
  readonly authority: KeyPair;
  readonly server: KeyPair;
  readonly client: KeyPair;
  readonly stranger: KeyPair;
}

/** Makes them anew: a second each, so once per file. */
export function makeCertificates(): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), "kahn-certificates-"));
  const file = (name: string) => join(folder, name);
  const openssl = (...parameters: string[]) => execFileSync("openssl", parameters, { stdio: "pipe", cwd: folder });
  const read = (name: string): KeyPair => ({
    certificate: readFileSync(file(`${name}.pem`), "utf8"),
    key: readFileSync(file(`${name}.key`), "utf8"),
  });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const selfSigned = (name: string) =>
    openssl("req", "-x509", ...key, "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`);
  const signed = (name: string, subject: string, names: string) => {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject);
    writeFileSync(file(`${name}.ext`), `subjectAltName=${names}\n`);
    const by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-out", `${name}.pem`, "-extfile", `${name}.ext`);
  };
  try {
    selfSigned("authority");
    selfSigned("stranger");
    signed("server", "/CN=server", "DNS:localhost,IP:127.0.0.1");
    signed("client", "/O=Kahn/CN=ci runner", "DNS:ci.example,URI:spiffe://kahn/ci");
    return { authority: read("authority"), server: read("server"), client: read("client"), stranger: read("stranger") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
