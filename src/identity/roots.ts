// The roots of an own authority over time, as stored. Pure: each step answers the next state, or the same one.
//
// A rotation has three moments. (1) The new root joins the bundle; the old one goes on signing. (2) When every leaf from
// before (1) has run out, whoever holds a valid leaf got the new root with it: from then on the new one signs. (3) When every
// leaf of the old root has run out it leaves the bundle. So at no moment does a peer meet a leaf whose root it does not
// know, whatever lifetimes clients ask for.
import { BACKDATE } from "./certificate.ts";

/** PEM. */
export interface StoredKeyPair {
  readonly certificate: string;
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

export interface StoredRoot extends StoredKeyPair {
  readonly intermediate: StoredKeyPair & { readonly renewFrom: number };
  /** It signs from then on, unless a newer one does. Milliseconds since the epoch. */
  readonly signsFrom: number;
  /** No leaf under this root is valid after this. Milliseconds since the epoch. */
  readonly leavesUntil: number;
}

export interface Roots {
  readonly version: 1;
  readonly trustDomain: string;
  /** Oldest first, never empty. */
  readonly roots: readonly StoredRoot[];
}

/** Ahead of what was asked for, so that not every leaf writes the state. Milliseconds. */
const RESERVE = 60 * 60_000;
/** A root with less than this of its life left is rotated. */
const LAST_PART = 0.2;

/** The root that signs now. */
export const signingRoot = ({ roots }: Roots, now: number): StoredRoot =>
  roots.findLast(({ signsFrom }) => signsFrom <= now) ?? roots[0]!;

/** Undefined unless a newer root waits for its time. */
export const waitingRoot = ({ roots }: Roots, now: number): StoredRoot | undefined =>
  roots.find(({ signsFrom }) => signsFrom > now);

/** Whether the leaf may be signed without storing its end first. */
export const isReserved = (state: Roots, now: number, notAfter: number): boolean =>
  signingRoot(state, now).leavesUntil >= notAfter;

/** Notes that the signing root will have a leaf that is valid until then. */
export const reserve = (state: Roots, now: number, notAfter: number): Roots =>
  isReserved(state, now, notAfter)
    ? state
    : replaceRoot(state, signingRoot(state, now), { leavesUntil: notAfter + RESERVE });

/** Moment 1. The new root's signsFrom is set here. */
export function join(state: Roots, root: StoredRoot, now: number): Roots {
  const leavesUntil = Math.max(now, ...state.roots.map((known) => known.leavesUntil));
  return { ...state, roots: [...state.roots, { ...root, signsFrom: leavesUntil + BACKDATE }] };
}

/** Moment 3, for every root whose time has come. */
export function retire(state: Roots, now: number): Roots {
  const signing = state.roots.indexOf(signingRoot(state, now));
  const kept = state.roots.filter((root, index) => index >= signing || root.leavesUntil + BACKDATE > now);
  return kept.length === state.roots.length ? state : { ...state, roots: kept };
}

/** The signing root nears its end and no successor waits. */
export function needsRotation(state: Roots, now: number, lifetime: number): boolean {
  return waitingRoot(state, now) === undefined && signingRoot(state, now).notAfter - now < lifetime * LAST_PART;
}

export const needsIntermediate = (state: Roots, now: number): boolean =>
  signingRoot(state, now).intermediate.renewFrom <= now;

export const withIntermediate = (state: Roots, now: number, intermediate: StoredRoot["intermediate"]): Roots =>
  replaceRoot(state, signingRoot(state, now), { intermediate });

/** Throws Error with a sentence when the text is not a stored state. */
export function parseRoots(text: string): Roots {
  const state: unknown = JSON.parse(text);
  const { version, trustDomain, roots } = (state ?? {}) as Partial<Roots>;
  if (version !== 1)
    throw new Error(`it was written by another version of Weir (${String(version)}; this one reads 1)`);
  const whole = Array.isArray(roots) && roots.length > 0 && roots.every(isStoredRoot);
  if (typeof trustDomain !== "string" || !whole) throw new Error("it is not a whole authority state");
  return { version, trustDomain, roots };
}

function isStoredRoot(value: unknown): value is StoredRoot {
  const { signsFrom, leavesUntil, intermediate } = (value ?? {}) as Partial<StoredRoot>;
  return (
    [signsFrom, leavesUntil, intermediate?.renewFrom].every(Number.isFinite) &&
    isKeyPair(value) &&
    isKeyPair(intermediate)
  );
}

function isKeyPair(value: unknown): boolean {
  const { certificate, key, notAfter } = (value ?? {}) as Partial<StoredKeyPair>;
  return typeof certificate === "string" && typeof key === "string" && Number.isFinite(notAfter);
}

const replaceRoot = (state: Roots, root: StoredRoot, change: Partial<StoredRoot>): Roots => ({
  ...state,
  roots: state.roots.map((known) => (known === root ? { ...known, ...change } : known)),
});
