import { once } from "node:events";
import { join } from "node:path";
import { connect } from "node:tls";
import test from "ava";
import { Admission, defaultLimits } from "../../src/identity/admission.ts";
import { Audit } from "../../src/identity/audit.ts";
import { Authority } from "../../src/identity/authority.ts";
import { CapturedPods } from "../../src/identity/captured-pods.ts";
import { Issuer } from "../../src/identity/issuer.ts";
import { NodeTokens } from "../../src/identity/node-tokens.ts";
import { OwnAuthority } from "../../src/identity/own-authority.ts";
import { PrivateDirectory } from "../../src/identity/private-directory.ts";
import { CertificateServer } from "../../src/identity/server.ts";
import { createLog } from "../../src/log.ts";
import { scratch } from "../helpers/resources.ts";
import { textOf } from "./openssl.ts";

test("the server renews its own certificate in place: connections stay, new ones see the new one", async (t) => {
  const clock = { at: Date.now() };
  const now = () => clock.at;
  const log = createLog("silent");
  const directory = new PrivateDirectory(join(scratch(t), "ca"));
  const source = await OwnAuthority.open({ directory, trustDomain: "cluster.local", now });
  const authority = new Authority({ source, defaultTtl: 3600, maxTtl: 3600, now });
  const issuer = new Issuer({
    authority,
    authenticator: await NodeTokens.open({ directory, now }),
    pods: new CapturedPods("cluster.local"),
    admission: new Admission(defaultLimits, now),
    audit: new Audit(log, now),
  });
  const names = ["ca.example", "127.0.0.1", "::1"];
  const server = new CertificateServer({ issuer, authority, address: { host: "127.0.0.1", port: 0 }, names, now, log });
  await server.listen();
  t.teardown(() => server.close());

  const dial = async (servername: string) => {
    const options = { port: server.port, host: "127.0.0.1", ALPNProtocols: ["h2"], servername };
    const socket = connect({ ...options, ca: [...(await source.roots())] });
    await once(socket, "secureConnect");
    t.teardown(() => socket.destroy());
    return { socket, certificate: socket.getPeerX509Certificate()! };
  };
  const before = await dial("ca.example");
  t.regex(
    textOf(before.certificate.toString()),
    /DNS:ca\.example, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1\n/,
  );
  await server.upkeep();
  t.is((await dial("ca.example")).certificate.serialNumber, before.certificate.serialNumber, "not before its time");
  clock.at += 31 * 60_000;
  await server.upkeep();
  // The new one begins in what is the future for this client, whose clock stands still.
  const after = connect({ port: server.port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
  await once(after, "secureConnect");
  t.not(after.getPeerX509Certificate()!.serialNumber, before.certificate.serialNumber);
  t.false(before.socket.destroyed);
  after.destroy();
});
