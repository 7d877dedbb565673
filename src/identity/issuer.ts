// Who may get which certificate: a node, those of captured pods that run on it, named by their UID. What the signing request
// says about names grants nothing.
import { reasonOf } from "../errors.ts";
import type { Admission } from "./admission.ts";
import type { Audit, AuditSubject } from "./audit.ts";
import type { Authority } from "./authority.ts";
import type { CapturedPods } from "./captured-pods.ts";
import { readRequestedKey } from "./csr.ts";
import { Refusal } from "./refusal.ts";
import { parseSpiffeId } from "./spiffe-id.ts";

/** Who asks, proved by a credential. */
export interface Caller {
  readonly node: string;
}

/** Proves callers: by node tokens here, by other means with other sources. */
export interface CallerAuthenticator {
  /** Throws Refusal. token: as in `authorization: Bearer TOKEN`. */
  authenticate(token: string): Promise<Caller>;
}

export interface CertificateRequest {
  /** Address and port of the caller, for the audit line. */
  readonly peer: string;
  readonly token: string | undefined;
  /** PEM. */
  readonly csr: string;
  /** Seconds; 0 for the default. */
  readonly ttl: number;
  /** The SPIFFE id asked for. */
  readonly identity: string | undefined;
  readonly podUid: string | undefined;
}

export interface IssuerOptions {
  readonly authority: Authority;
  readonly authenticator: CallerAuthenticator;
  readonly pods: CapturedPods;
  readonly admission: Admission;
  readonly audit: Audit;
}

export class Issuer {
  readonly #options: IssuerOptions;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /** The chain as the wire has it. Throws Refusal; each outcome is audited. */
  async issue(request: CertificateRequest): Promise<readonly string[]> {
    const subject: AuditSubject = { peer: request.peer };
    try {
      return await this.#issue(request, subject);
    } catch (error) {
      const refusal =
        error instanceof Refusal
          ? error
          : new Refusal("authority_unusable", "the authority cannot sign at the moment; ask again", reasonOf(error));
      this.#options.audit.refuse(subject, refusal);
      throw refusal;
    }
  }

  async #issue(request: CertificateRequest, subject: AuditSubject): Promise<readonly string[]> {
    const { authenticator, admission } = this.#options;
    if (request.token === undefined)
      throw new Refusal("unauthenticated", "a node's token is needed, as authorization: Bearer TOKEN");
    const { node } = await authenticator.authenticate(request.token);
    subject.node = node;
    return admission.admit(node, () => this.#sign(node, request, subject));
  }

  async #sign(node: string, request: CertificateRequest, subject: AuditSubject): Promise<readonly string[]> {
    const { authority, pods, audit } = this.#options;
    const { identity, podUid } = request;
    if (identity === undefined) throw new Refusal("identity_missing", "the metadata ImpersonatedIdentity is missing");
    subject.identity = identity;
    if (parseSpiffeId(identity) === undefined)
      throw new Refusal(
        "identity_malformed",
        "ImpersonatedIdentity is not spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT",
      );
    if (podUid === undefined) throw new Refusal("uid_missing", "the metadata WeirPodUID is missing");
    subject.uid = podUid;
    const pod = pods.find(node, podUid);
    if (pod.id !== identity)
      throw new Refusal("wrong_identity", `pod ${pod.name} is ${pod.id}, not the identity asked for`);
    const key = await readRequestedKey(request.csr);
    const issued = await authority.signWorkload(key, pod.id, request.ttl);
    audit.sign(subject, pod, issued);
    return issued.chain;
  }
}
