// What is done again and again: roots rotated and retired, certificates and tokens renewed, files of the authority re-read.
// What fails is told once, counted as a problem, and tried again.
import { reasonOf } from "../errors.ts";
import type { Admission } from "../identity/admission.ts";
import type { CapturedPods } from "../identity/captured-pods.ts";
import type { NodeTokens } from "../identity/node-tokens.ts";
import type { PrivateDirectory } from "../identity/private-directory.ts";
import type { CertificateServer } from "../identity/server.ts";
import type { SignerSource } from "../identity/signer.ts";
import type { Log } from "../log.ts";

export interface UpkeepOptions {
  readonly signers: SignerSource;
  readonly tokens: NodeTokens;
  readonly pods: CapturedPods;
  readonly admission: Admission;
  readonly server: CertificateServer;
  readonly directory: PrivateDirectory;
  readonly log: Log;
}

/** Every root peers shall trust, for clients to verify the server by. */
export const rootsFile = "root-cert.pem";

/** Milliseconds. */
const ROUND = 10_000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #problems = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #roots = 0;
  #signerNotAfter = 0;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Root certificates in force. */
  get roots(): number {
    return this.#roots;
  }

  /** Milliseconds since the epoch. */
  get signerNotAfter(): number {
    return this.#signerNotAfter;
  }

  /** Sentences. */
  problems(): string[] {
    return [...this.#problems.values()];
  }

  /** The first round, whose failure is a failure of the start, and the clock for the others. */
  async start(): Promise<void> {
    await this.#signers();
    this.#timer = setInterval(() => {
      this.#round = this.#round.then(() => this.#all());
    }, ROUND);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#round;
  }

  /** Sees to it that every node with captured pods has a token. Does not throw: it is tried again. */
  provideTokens(): void {
    const { tokens, pods } = this.#options;
    try {
      tokens.provide(pods.nodes());
      this.#problems.delete("tokens");
    } catch (error) {
      this.#tell("tokens", error);
    }
  }

  async #all(): Promise<void> {
    const { server, admission } = this.#options;
    this.provideTokens();
    admission.sweep();
    await this.#guarded("authority", () => this.#signers());
    await this.#guarded("server certificate", () => server.upkeep());
  }

  async #signers(): Promise<void> {
    const { signers, directory } = this.#options;
    await signers.upkeep();
    const { certificate, roots } = await signers.signerUntil(0);
    this.#signerNotAfter = certificate.notAfter.getTime();
    this.#roots = roots.length;
    const bundle = roots.map((root) => `${root.trim()}\n`).join("");
    if (directory.read(rootsFile) !== bundle) directory.write(rootsFile, bundle);
  }

  async #guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#problems.delete(what);
    } catch (error) {
      this.#tell(what, error);
    }
  }

  #tell(what: string, error: unknown): void {
    const sentence = reasonOf(error);
    if (this.#problems.get(what) !== sentence) this.#options.log.error({ part: what }, sentence);
    this.#problems.set(what, sentence);
  }
}
