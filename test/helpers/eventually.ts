// Waits for something to become true, with the last reason why it was not.
export interface Patience {
  /** Default 5,000 ms. */
  readonly withinMs?: number;
  readonly everyMs?: number;
}

/** Calls until it neither throws nor answers false or undefined; answers what it answered. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  { withinMs = 5_000, everyMs = 20 }: Patience = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const until = performance.now() + withinMs;
  let last = "";
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== null && seen !== false) return seen as NonNullable<Exclude<T, false>>;
      last = `it was ${String(seen)}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() >= until) throw new Error(`not within ${withinMs} ms: ${what}; ${last}`);
    await sleep(everyMs);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
