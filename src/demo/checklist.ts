// Assertions made from outside, a line each, and the count at the end.

export interface Checklist {
  /** Runs one assertion until it holds or its time is up; a throw or `false` is a failure with its reason. */
  readonly check: (sentence: string, holds: () => Promise<unknown>, withinMs?: number) => Promise<void>;
  readonly passed: number;
  readonly failed: number;
}

export function createChecklist(print: (line: string) => void): Checklist {
  let passed = 0;
  let failed = 0;
  return {
    get passed() {
      return passed;
    },
    get failed() {
      return failed;
    },
    async check(sentence, holds, withinMs = 10_000) {
      const why = await hold(holds, withinMs);
      if (why === undefined) passed++;
      else failed++;
      print(why === undefined ? `  ok    ${sentence}` : `  FAIL  ${sentence}: ${why}`);
    },
  };
}

/** Undefined once it holds; else the last reason why not. */
async function hold(holds: () => Promise<unknown>, withinMs: number): Promise<string | undefined> {
  const until = Date.now() + withinMs;
  for (;;) {
    const why = await holds().then(
      (answer) => (answer === false || answer === undefined ? "it never became true" : undefined),
      (error: Error) => error.message,
    );
    if (why === undefined || Date.now() >= until) return why;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
