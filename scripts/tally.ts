// How many tests passed and failed, read from what each test runner prints.
import { stripVTControlCharacters } from "node:util";

export interface Tally {
  passed: number;
  failed: number;
  /** Left out on purpose, for want of something on this machine. */
  skipped?: number;
}

/** ava's default reporter: a mark for each test, and counts of what broke outside of tests at the end. */
export function countAva(outputs: readonly string[]): Tally {
  const text = plain(outputs);
  const outside = sum(text, /^\s*(\d+) (?:uncaught exceptions?|unhandled rejections?|hooks? failed)/gm);
  return {
    passed: matches(text, /^\s*✔/gm),
    failed: sum(text, /^\s*(\d+) tests? failed/gm) + outside,
    skipped: matches(text, /^\s*- \[skip\]/gm),
  };
}

/** cargo test: one "test result:" line for each binary. */
export function countCargo(outputs: readonly string[]): Tally {
  const text = plain(outputs);
  return { passed: sum(text, /^test result:.*? (\d+) passed/gm), failed: sum(text, /^test result:.*? (\d+) failed/gm) };
}

/** A program that closes with "N passed, N failed". */
export function countClosingLine(outputs: readonly string[]): Tally {
  const text = plain(outputs);
  return { passed: sum(text, /^(\d+) passed, \d+ failed$/gm), failed: sum(text, /^\d+ passed, (\d+) failed$/gm) };
}

/** Each command is one check. */
export function countSteps(_outputs: readonly string[], exits: readonly number[]): Tally {
  const failed = exits.filter((exit) => exit !== 0).length;
  return { passed: exits.length - failed, failed };
}

const plain = (outputs: readonly string[]): string => stripVTControlCharacters(outputs.join("\n"));
const matches = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;
const sum = (text: string, pattern: RegExp): number =>
  [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
