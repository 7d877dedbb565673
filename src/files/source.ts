// The source `file:DIR`: plain Kubernetes objects in the .yaml, .yml and .json files of one directory. What is wrong
// with a file is reported, and the file's last good content stays in force until it is right again.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Problem, reasonOf, WeirError } from "../errors.ts";
import type { ResourceChanges } from "../kube/resources.ts";
import type { Log } from "../log.ts";
import type { Position } from "./document.ts";
import { duplicate, type Manifest, parseManifest } from "./manifest.ts";
import { type Conflict, type FileObjects, Objects } from "./objects.ts";
import { DirectoryWatch, type Fitness, type WatchTimes } from "./watch.ts";

export interface FileSourceOptions {
  readonly directory: string;
  readonly log: Log;
  /**
   * Gets every change as one batch, never an empty one; the first, with all there is, before the constructor returns.
   * Must not throw.
   */
  readonly deliver: (changes: ResourceChanges) => void;
  readonly times?: Partial<WatchTimes>;
}

interface FileState {
  documents: Manifest["documents"];
  /** Read, but refused because another file defines the same objects; tried again when that file changes. */
  waiting: FileObjects | undefined;
  problems: readonly Problem[];
}

/** The largest manifest that is read. */
export const maxFileBytes = 16 * 1024 * 1024;

export class FileSource {
  readonly #options: FileSourceOptions;
  readonly #files = new Map<string, FileState>();
  readonly #objects = new Objects();
  readonly #watch: DirectoryWatch;
  #trouble: Problem | undefined;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#watch = new DirectoryWatch({
      directory: options.directory,
      times: { ...defaultTimes, ...options.times },
      take: (files) => this.#take(files),
      trouble: (error) => this.#directoryTrouble(error),
    });
  }

  /** What is wrong now, for `weir status`. */
  problems(): Problem[] {
    const ofFiles = [...this.#files.values()].flatMap((file) => file.problems);
    return this.#trouble === undefined ? ofFiles : [this.#trouble, ...ofFiles];
  }

  close(): void {
    this.#watch.close();
  }

  #take(files: ReadonlyMap<string, Fitness>): ReadonlySet<string> {
    const refused = new Set<string>();
    for (const [name, fitness] of files) {
      if (fitness === "gone") this.#remove(name);
      else if (!this.#read(name, fitness)) refused.add(name);
    }
    this.#settleDuplicates();
    const changes = this.#objects.drain();
    if (changes.upserts.length + changes.deletes.length > 0) this.#options.deliver(changes);
    return refused;
  }

  #remove(name: string): void {
    this.#objects.replace(name, new Map());
    this.#files.delete(name);
  }

  /** False: the file does not look finished, come again when it has been still for longer. */
  #read(name: string, fitness: Fitness): boolean {
    const before = this.#files.get(name) ?? { documents: new Map(), waiting: undefined, problems: [] };
    try {
      const text = this.#text(name, fitness);
      const manifest = parseManifest(text, before);
      if (fitness === "quiet" && !this.#looksFinished(name, text, manifest)) return false;
      this.#accept(name, before, manifest);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      if (fitness === "quiet") return false;
      this.#report(name, { ...before, waiting: undefined }, [{ position: undefined, error }]);
    }
    return true;
  }

  #text(name: string, fitness: Fitness): string {
    const path = join(this.#options.directory, name);
    try {
      const { size } = statSync(path);
      if (size > maxFileBytes) throw new WeirError("FILE_TOO_LARGE", { size, limit: maxFileBytes });
      const text = readFileSync(path, "utf8");
      // A shell empties the file before it starts the command that writes it, which may take its time.
      if (text === "" && fitness !== "moved" && this.#objects.of(name).size > 0) throw new WeirError("FILE_EMPTIED");
      return text;
    } catch (error) {
      throw error instanceof WeirError ? error : new WeirError("FILE_UNREADABLE", { why: reasonOf(error) }, error);
    }
  }

  #looksFinished(name: string, text: string, manifest: Manifest): boolean {
    if (manifest.failures.length > 0 || !text.endsWith("\n")) return false;
    return [...this.#objects.of(name).keys()].every((key) => manifest.objects.has(key));
  }

  #accept(name: string, before: FileState, manifest: Manifest): void {
    if (manifest.failures.length > 0) {
      this.#report(name, { ...before, waiting: undefined }, manifest.failures);
      return;
    }
    for (const { type, position } of manifest.ignored) {
      this.#options.log.warn({ file: name, line: position.line, type }, "object ignored: Weir does not read this kind");
    }
    this.#files.set(name, { documents: manifest.documents, waiting: manifest.objects, problems: [] });
  }

  /** Files may exchange objects: whoever lets go makes room for the others, in whichever order they were read. */
  #settleDuplicates(): void {
    const waiting = new Set([...this.#files].filter(([, file]) => file.waiting !== undefined).map(([name]) => name));
    let conflicts: [string, Conflict[]][] = [];
    for (let progress = true; progress; ) {
      progress = false;
      conflicts = [];
      for (const name of waiting) {
        const found = this.#objects.replace(name, this.#files.get(name)?.waiting ?? new Map());
        if (found.length > 0) conflicts.push([name, found]);
        else progress = waiting.delete(name);
        const file = this.#files.get(name);
        if (found.length === 0 && file !== undefined)
          this.#files.set(name, { ...file, waiting: undefined, problems: [] });
      }
    }
    for (const [name, found] of conflicts) this.#reportConflicts(name, found);
  }

  #reportConflicts(name: string, conflicts: readonly Conflict[]): void {
    const file = this.#files.get(name);
    if (file === undefined) return;
    const failures = conflicts.map(({ object, first }) => ({
      position: object.position,
      error: duplicate(object.key, first),
    }));
    this.#report(name, file, failures);
  }

  #report(
    name: string,
    file: FileState,
    failures: readonly { position: Position | undefined; error: WeirError }[],
  ): void {
    const problems = failures.slice(0, maxProblemsPerFile).map(({ position, error }) => ({
      where: position === undefined ? name : `${name}:${position.line}:${position.column}`,
      message: error.message,
    }));
    const known = new Set(file.problems.map((problem) => `${problem.where} ${problem.message}`));
    for (const [index, problem] of problems.entries()) {
      if (known.has(`${problem.where} ${problem.message}`)) continue;
      const { code, next } = failures[index]?.error ?? {};
      this.#options.log.error({ where: problem.where, code, next }, problem.message);
    }
    this.#files.set(name, { ...file, problems });
  }

  #directoryTrouble(error: unknown): void {
    const { directory, log } = this.#options;
    if (error === undefined) {
      this.#trouble = undefined;
      return;
    }
    const failure = new WeirError("DIRECTORY_UNREADABLE", { directory, why: reasonOf(error) }, error);
    if (this.#trouble === undefined) log.error({ code: failure.code, next: failure.next }, failure.message);
    this.#trouble = { where: directory, message: failure.message };
  }
}

const defaultTimes: WatchTimes = { quietMs: 200, stillMs: 1000, graceMs: 200, sweepMs: 2000 };

/** A file that is wrong throughout need not fill the report. */
const maxProblemsPerFile = 20;
