// Ids by which kernel and node proxy know workloads, services and policy revisions, and generation numbers. All come
// from one counter and none is ever used twice, across restarts, too: numbers are on disk before they are used, and when
// the file is lost, counting goes on above what the kernel has seen. The file is a journal of JSON lines.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { reasonOf, WeirError } from "../errors.ts";

export type IdKind = "workload" | "service" | "policy";

export interface IdsOptions {
  readonly stateDirectory: string;
  /** Numbers up to this one were used by an agent before, as the kernel remembers it. */
  readonly floor: number;
  /** How many released names keep their id, should they come back. */
  readonly remembered?: number;
}

/** A line of the journal: a name and its id, or a number that went to something without a name. */
type Line = readonly [key: string, id: number] | readonly [high: number];

export class Ids {
  readonly #file: string;
  readonly #remembered: number;
  /** Oldest use first. */
  readonly #ids = new Map<string, number>();
  /** Names nobody uses now, oldest first. */
  readonly #released = new Set<string>();
  #lines: Line[] = [];
  #linesOnDisk = 0;
  #highest: number;
  #descriptor: number | undefined;

  /** Throws WeirError STATE_UNUSABLE when the state directory cannot be written. */
  constructor({ stateDirectory, floor, remembered = 16_384 }: IdsOptions) {
    this.#file = join(stateDirectory, "ids.jsonl");
    this.#remembered = remembered;
    this.#highest = floor;
    for (const line of this.#read()) {
      const [key, id] = line.length === 1 ? [undefined, line[0]] : line;
      this.#highest = Math.max(this.#highest, id);
      if (key === undefined) continue;
      this.#ids.set(key, id);
      this.#released.add(key);
    }
    this.#compact();
  }

  /** The id of a name: the one it had, or a new one. Not to be used before commit. */
  id(kind: IdKind, name: string): number {
    const key = `${kind} ${name}`;
    this.#released.delete(key);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = ++this.#highest;
    this.#ids.set(key, id);
    this.#lines.push([key, id]);
    return id;
  }

  /** A number that was never used for anything. Not to be used before commit. */
  next(): number {
    this.#lines.push([++this.#highest]);
    return this.#highest;
  }

  /** The name is gone. It keeps its id for as long as there is room to remember it. */
  release(kind: IdKind, name: string): void {
    const key = `${kind} ${name}`;
    if (this.#ids.has(key)) this.#released.add(key);
    for (const oldest of this.#released) {
      if (this.#released.size <= this.#remembered) break;
      this.#released.delete(oldest);
      this.#ids.delete(oldest);
    }
  }

  /** No id or number is above this one. */
  highWater(): number {
    return this.#highest;
  }

  /** Makes what was handed out durable. Throws WeirError STATE_UNUSABLE. */
  commit(): void {
    if (this.#lines.length === 0) return;
    if (this.#linesOnDisk + this.#lines.length > 2 * this.#ids.size + 4096) this.#compact();
    else this.#append();
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** A last line without its end was never committed, so nobody used its id; a line that makes no sense is skipped. */
  #read(): Line[] {
    let text: string;
    try {
      text = readFileSync(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw this.#unusable(error);
    }
    return text
      .split("\n")
      .slice(0, -1)
      .flatMap((line) => parseLine(line) ?? []);
  }

  #append(): void {
    // Until this succeeds the journal may end in half a line, which only writing it anew mends.
    const onDisk = this.#linesOnDisk + this.#lines.length;
    this.#linesOnDisk = Number.POSITIVE_INFINITY;
    this.#durably(() => {
      this.#descriptor ??= openSync(this.#file, "a", 0o600);
      writeSync(this.#descriptor, serialize(this.#lines));
      fsyncSync(this.#descriptor);
    });
    this.#linesOnDisk = onDisk;
    this.#lines = [];
  }

  #compact(): void {
    const lines: Line[] = [[this.#highest], ...this.#ids];
    this.close();
    this.#durably(() => {
      const descriptor = openSync(`${this.#file}.new`, "w", 0o600);
      try {
        writeSync(descriptor, serialize(lines));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(`${this.#file}.new`, this.#file);
      const directory = openSync(dirname(this.#file), "r");
      fsyncSync(directory);
      closeSync(directory);
    });
    this.#linesOnDisk = lines.length;
    this.#lines = [];
  }

  #durably(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw this.#unusable(error);
    }
  }

  #unusable(error: unknown): WeirError {
    return new WeirError("STATE_UNUSABLE", { file: this.#file, why: reasonOf(error) }, error);
  }
}

const serialize = (lines: readonly Line[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("");

function parseLine(text: string): [Line] | undefined {
  try {
    const line: unknown = JSON.parse(text);
    if (!Array.isArray(line) || line.length < 1 || line.length > 2) return undefined;
    const id: unknown = line.at(-1);
    if (!Number.isInteger(id) || (id as number) < 1 || (line.length === 2 && typeof line[0] !== "string"))
      return undefined;
    return [line as unknown as Line];
  } catch {
    return undefined;
  }
}
