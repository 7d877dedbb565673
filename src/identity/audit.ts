// One line and one count for each signing and each refusal. What anybody can cause without a credential, or faster than
// allowed, gets a line a second at most, with how many it stands for.
import type { Log } from "../log.ts";
import type { Issued } from "./authority.ts";
import type { CapturedPod } from "./captured-pods.ts";
import { type Refusal, type RefusalReason, refusalReasons } from "./refusal.ts";

/** What is known of a request when its fate is decided. */
export interface AuditSubject {
  /** Address and port of the caller. */
  readonly peer: string;
  node?: string;
  /** As the caller named them. */
  identity?: string;
  uid?: string;
}

/** Milliseconds. */
const QUIET = 1_000;
const quiet: ReadonlySet<RefusalReason> = new Set(["unauthenticated", "token_expired", "rate", "busy"]);

export class Audit {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #refused = new Map<RefusalReason, number>(refusalReasons.map((reason) => [reason, 0]));
  readonly #lines = new Map<RefusalReason, { at: number; suppressed: number }>();
  #signed = 0;

  constructor(log: Log, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  get signed(): number {
    return this.#signed;
  }

  /** Every reason, with how often it was one. */
  get refused(): ReadonlyMap<RefusalReason, number> {
    return this.#refused;
  }

  sign(subject: AuditSubject, pod: CapturedPod, { serial, notAfter }: Issued): void {
    this.#signed++;
    const { id: identity, uid, name } = pod;
    this.#log.info({ audit: "signed", ...subject, identity, uid, pod: name, serial, notAfter }, "signed a certificate");
  }

  refuse(subject: AuditSubject, { reason, message: why, detail }: Refusal): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    const suppressed = quiet.has(reason) ? this.#suppressed(reason) : 0;
    if (suppressed === undefined) return;
    const more = suppressed === 0 ? {} : { suppressed };
    const { identity, uid } = subject;
    const named = { ...(identity && { identity: short(identity) }), ...(uid && { uid: short(uid) }) };
    this.#log.warn(
      { audit: "refused", reason, ...subject, ...named, why: short(why), detail, ...more },
      "refused a certificate",
    );
  }

  /** How many lines were left out since the last; undefined when this one is left out, too. */
  #suppressed(reason: RefusalReason): number | undefined {
    const line = this.#lines.get(reason);
    if (line !== undefined && this.#now() - line.at < QUIET) {
      line.suppressed++;
      return undefined;
    }
    this.#lines.set(reason, { at: this.#now(), suppressed: 0 });
    return line?.suppressed ?? 0;
  }
}

// What callers send may be long.
const short = (text: string): string => (text.length <= 300 ? text : `${text.slice(0, 300)}...`);
