// An authority that makes its own root and keeps it in a directory. Any number of processes on a machine may use one
// directory: whoever comes first makes the root, and each sees what another changed before it signs again.
import { type Issuing, makeIntermediate, makeRoot } from "./certificate.ts";
import { readSigningKey } from "./key.ts";
import type { PrivateDirectory } from "./private-directory.ts";
import {
  isReserved,
  join,
  needsIntermediate,
  needsRotation,
  parseRoots,
  type Roots,
  reserve,
  retire,
  type StoredKeyPair,
  type StoredRoot,
  signingRoot,
  waitingRoot,
  withIntermediate,
} from "./roots.ts";
import type { Signer, SignerSource } from "./signer.ts";
import { X509Certificate } from "./x509.ts";

export interface OwnAuthorityOptions {
  readonly directory: PrivateDirectory;
  readonly trustDomain: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const FILE = "authority.json";
const DAY = 24 * 60 * 60_000;
const ROOT_LIFE = 3650 * DAY;
/** Renewed at half of it, so that what it has left never shortens a leaf of 90 days. */
const INTERMEDIATE_LIFE = 365 * DAY;

export class OwnAuthority implements SignerSource {
  readonly #options: OwnAuthorityOptions;
  #state: Roots;
  #signature: string | undefined;
  #reserving: Promise<void> | undefined;
  #signer: { readonly root: StoredRoot; readonly state: Roots; readonly signer: Signer } | undefined;

  /** Makes root and intermediate where there are none. Throws AUTHORITY_UNUSABLE. */
  static async open(options: OwnAuthorityOptions): Promise<OwnAuthority> {
    const { directory, trustDomain, now } = options;
    const state = await directory.locked(async () => {
      directory.sweep();
      const stored = directory.read(FILE);
      if (stored !== undefined) return checked(options, stored);
      const made: Roots = { version: 1, trustDomain, roots: [await newRoot(trustDomain, now())] };
      directory.write(FILE, serialize(made));
      return made;
    });
    return new OwnAuthority(options, state);
  }

  private constructor(options: OwnAuthorityOptions, state: Roots) {
    this.#options = options;
    this.#state = state;
    this.#refresh();
  }

  async signerUntil(notAfter: number): Promise<Signer> {
    for (;;) {
      this.#refresh();
      const now = this.#options.now();
      if (isReserved(this.#state, now, notAfter)) return this.#signerAt(now);
      // One caller stores for all who wait; who needs more than it stored goes round again.
      this.#reserving ??= this.#change((state) => reserve(state, now, notAfter)).finally(() => {
        this.#reserving = undefined;
      });
      await this.#reserving;
    }
  }

  async upkeep(): Promise<void> {
    const { now, trustDomain } = this.#options;
    this.#refresh();
    if (retire(this.#state, now()) !== this.#state) await this.#change((state) => retire(state, now()));
    if (needsIntermediate(this.#state, now())) await this.#change((state) => renewed(state, now()));
    if (needsRotation(this.#state, now(), ROOT_LIFE))
      await this.#change(async (state) =>
        needsRotation(state, now(), ROOT_LIFE) ? join(state, await newRoot(trustDomain, now()), now()) : state,
      );
  }

  /** Begins a rotation, or finds one under way; answers when the new root begins to sign. Throws AUTHORITY_UNUSABLE. */
  async rotate(): Promise<Date> {
    const { now, trustDomain } = this.#options;
    await this.#change(async (state) =>
      waitingRoot(state, now()) === undefined ? join(state, await newRoot(trustDomain, now()), now()) : state,
    );
    return new Date(waitingRoot(this.#state, now())?.signsFrom ?? now());
  }

  problem(): undefined {}

  async roots(): Promise<readonly string[]> {
    this.#refresh();
    return this.#state.roots.map(({ certificate }) => certificate);
  }

  // Another process may have rotated, reserved or renewed.
  #refresh(): void {
    const { directory } = this.#options;
    const signature = directory.signature(FILE);
    if (signature === this.#signature) return;
    const stored = directory.read(FILE);
    if (stored === undefined) throw directory.unusable(`${FILE} is gone; put it back, or start anew with another root`);
    this.#state = checked(this.#options, stored);
    this.#signature = signature;
  }

  async #change(step: (state: Roots) => Roots | Promise<Roots>): Promise<void> {
    const { directory } = this.#options;
    await directory.locked(async () => {
      this.#refresh();
      const next = await step(this.#state);
      if (next === this.#state) return;
      directory.write(FILE, serialize(next));
      this.#refresh();
    });
  }

  #signerAt(now: number): Signer {
    const state = this.#state;
    const root = signingRoot(state, now);
    if (this.#signer?.state === state && this.#signer.root === root) return this.#signer.signer;
    const { certificate, key } = loaded(root.intermediate);
    const roots = state.roots.map((known) => known.certificate);
    const signer = { certificate, key, intermediates: [root.intermediate.certificate], roots };
    this.#signer = { root, state, signer };
    return signer;
  }
}

async function newRoot(trustDomain: string, now: number): Promise<StoredRoot> {
  const root = await makeRoot(trustDomain, now, now + ROOT_LIFE);
  return {
    ...stored(root),
    intermediate: await newIntermediate(trustDomain, root, now),
    signsFrom: now,
    leavesUntil: now,
  };
}

async function newIntermediate(trustDomain: string, root: Issuing, now: number): Promise<StoredRoot["intermediate"]> {
  const intermediate = await makeIntermediate(trustDomain, root, now, now + INTERMEDIATE_LIFE);
  return { ...stored(intermediate), renewFrom: now + INTERMEDIATE_LIFE / 2 };
}

async function renewed(state: Roots, now: number): Promise<Roots> {
  if (!needsIntermediate(state, now)) return state;
  const root = loaded(signingRoot(state, now));
  return withIntermediate(state, now, await newIntermediate(state.trustDomain, root, now));
}

function checked({ directory, trustDomain }: OwnAuthorityOptions, text: string): Roots {
  let state: Roots;
  try {
    state = parseRoots(text);
  } catch (error) {
    throw directory.unusable(error);
  }
  if (state.trustDomain !== trustDomain)
    throw directory.unusable(`its trust domain is ${state.trustDomain}, not ${trustDomain}`);
  return state;
}

const stored = ({ certificate, key }: Issuing): StoredKeyPair => ({
  certificate: `${certificate.toString("pem").trim()}\n`,
  key: key.pem,
  notAfter: certificate.notAfter.getTime(),
});

const loaded = ({ certificate, key }: StoredKeyPair): Issuing => ({
  certificate: new X509Certificate(certificate),
  key: readSigningKey(key),
});

const serialize = (state: Roots): string => `${JSON.stringify(state, undefined, 2)}\n`;
