// Credentials of nodes for sources without a token service: a file for each node in a private directory, which the agent
// presents as it stands. A token says its node and when it ends, under a MAC; it is replaced at half of its life, and the one
// before stays good until its own end.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Caller, CallerAuthenticator } from "./issuer.ts";
import type { PrivateDirectory } from "./private-directory.ts";
import { Refusal } from "./refusal.ts";

export interface NodeTokensOptions {
  readonly directory: PrivateDirectory;
  /** Milliseconds. */
  readonly lifetime?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Claims {
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

const KEY_FILE = "token.key";
const DAY = 24 * 60 * 60_000;
/** Node names have at most 253 bytes. */
const LONGEST = 1024;

const isNodeName = (text: string): boolean => /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text);

/** Where the token of a node is, in the directory. */
export const tokenFile = (node: string): string => `nodes/${node}.token`;

export class NodeTokens implements CallerAuthenticator {
  readonly #options: Required<NodeTokensOptions>;
  readonly #key: Buffer;

  /** Makes the key where there is none. Throws AUTHORITY_UNUSABLE. */
  static async open(options: NodeTokensOptions): Promise<NodeTokens> {
    const { directory } = options;
    const text = await directory.locked(() => {
      const stored = directory.read(KEY_FILE);
      if (stored !== undefined) return stored;
      const made = `${randomBytes(32).toString("hex")}\n`;
      directory.write(KEY_FILE, made);
      return made;
    });
    const key = Buffer.from(text.trim(), "hex");
    if (key.length !== 32) throw directory.unusable(`${KEY_FILE} is not a key; remove it to have a new one made`);
    return new NodeTokens({ lifetime: DAY, ...options }, key);
  }

  private constructor(options: Required<NodeTokensOptions>, key: Buffer) {
    this.#options = options;
    this.#key = key;
  }

  /**
   * Sees to it that each node's file holds a token with half of its life left. What is no name of a node gets none: it would
   * name a file elsewhere. Throws AUTHORITY_UNUSABLE.
   */
  provide(nodes: Iterable<string>): void {
    const { directory, lifetime, now } = this.#options;
    for (const node of nodes) {
      if (!isNodeName(node)) continue;
      const claims = this.#claims(directory.read(tokenFile(node))?.trim() ?? "");
      if (claims?.node === node && claims.expires - now() > lifetime / 2) continue;
      directory.write(tokenFile(node), `${this.#token({ node, expires: now() + lifetime })}\n`);
    }
  }

  async authenticate(token: string): Promise<Caller> {
    const claims = this.#claims(token);
    if (claims === undefined) throw new Refusal("unauthenticated", "the token is not one of a node");
    if (claims.expires <= this.#options.now())
      throw new Refusal("token_expired", `the token of node ${claims.node} has expired; read its file again`);
    return { node: claims.node };
  }

  #token(claims: Claims): string {
    const body = Buffer.from(JSON.stringify(claims)).toString("base64url");
    return `${body}.${this.#mac(body).toString("base64url")}`;
  }

  #claims(token: string): Claims | undefined {
    const [body, mac, more] = token.length <= LONGEST ? token.split(".") : [];
    if (body === undefined || mac === undefined || more !== undefined) return undefined;
    const given = Buffer.from(mac, "base64url");
    const right = this.#mac(body);
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
  }

  readonly #mac = (body: string): Buffer => createHmac("sha256", this.#key).update(`weir node ${body}`).digest();
}
