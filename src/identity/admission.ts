// How much a node may ask for: so many at a time, so many a second, so that none keeps the others waiting.
import { Refusal } from "./refusal.ts";

export interface AdmissionLimits {
  /** Requests a node may make a second, on average. */
  readonly perSecond: number;
  /** Requests a node may make at once before that counts: a node that starts asks for all its accounts. */
  readonly burst: number;
  /** Requests of one node that are worked on at a time. */
  readonly perNode: number;
  /** Requests of all nodes that are worked on at a time. */
  readonly together: number;
}

export const defaultLimits: AdmissionLimits = { perSecond: 50, burst: 500, perNode: 32, together: 128 };

interface Account {
  tokens: number;
  at: number;
  working: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();
  #working = 0;

  /** now: milliseconds, from a clock that does not jump. */
  constructor(limits: AdmissionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Requests being worked on. */
  get working(): number {
    return this.#working;
  }

  /** Does the work, or throws Refusal. node: proved, so that there are as many as the cluster has. */
  async admit<Result>(node: string, work: () => Promise<Result>): Promise<Result> {
    const account = this.#account(node);
    const { perNode, together } = this.#limits;
    if (account.tokens < 1) throw new Refusal("rate", "this node asks too often; ask again in a second");
    account.tokens--;
    if (account.working >= perNode || this.#working >= together)
      throw new Refusal("busy", "too many requests at a time; ask again in a moment");
    account.working++;
    this.#working++;
    try {
      return await work();
    } finally {
      account.working--;
      this.#working--;
    }
  }

  /** Forgets nodes that have not asked for long. */
  sweep(): void {
    for (const [node, account] of this.#accounts)
      if (account.working === 0 && this.#refilled(account) >= this.#limits.burst) this.#accounts.delete(node);
  }

  #account(node: string): Account {
    const account = this.#accounts.get(node) ?? { tokens: this.#limits.burst, at: this.#now(), working: 0 };
    account.tokens = this.#refilled(account);
    account.at = this.#now();
    this.#accounts.set(node, account);
    return account;
  }

  #refilled({ tokens, at }: Account): number {
    const { burst, perSecond } = this.#limits;
    return Math.min(burst, tokens + ((this.#now() - at) / 1000) * perSecond);
  }
}
