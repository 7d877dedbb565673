// Watches a directory of manifests and says when a file is fit to be read. A file that was moved into place (rename(2))
// is whole at once; one that is written in place is read when it has been quiet for a while, and again, for good, when
// it has been quiet for longer. inotify may lose events, so a slow sweep looks at everything, too.
import { type BigIntStats, type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { join } from "node:path";

/** `moved`: whole. `quiet`: written in place, quiet for `quietMs`. `still`: quiet for `stillMs`. `gone`: removed. */
export type Fitness = "moved" | "quiet" | "still" | "gone";

export interface WatchTimes {
  readonly quietMs: number;
  readonly stillMs: number;
  /** A file that is gone may come back, as editors and git do it; milliseconds to wait for that. */
  readonly graceMs: number;
  readonly sweepMs: number;
}

export interface WatchOptions {
  readonly directory: string;
  readonly times: WatchTimes;
  /** Takes files that are fit; answers the names of `quiet` files it would rather see `still`. */
  readonly take: (files: ReadonlyMap<string, Fitness>) => ReadonlySet<string>;
  /** Told when the directory cannot be read (why), and when it can again (undefined). */
  readonly trouble: (error: unknown) => void;
}

interface Pending {
  readonly signature: string | undefined;
  readonly since: number;
  readonly timer: NodeJS.Timeout;
}

export class DirectoryWatch {
  readonly #options: WatchOptions;
  /** Signature (inode, size, mtime) of what was last taken. */
  readonly #taken = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** Names with events that were not looked at yet -> whether one of them says that the file was written to. */
  readonly #dirty = new Map<string, boolean>();
  readonly #sweep: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #inode: bigint | undefined;
  #scheduled = false;
  #closed = false;

  /** Reads the directory once, before it returns, and watches it from then on. */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#open();
    const found = new Map([...this.#list()].map((name) => [name, "moved" as Fitness]));
    this.#take(found);
    this.#sweep = setInterval(() => this.#lookAtAll(), options.times.sweepMs);
    this.#sweep.unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const pending of this.#pending.values()) clearTimeout(pending.timer);
    this.#watcher?.close();
  }

  #open(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      this.#inode = statSync(this.#options.directory, { bigint: true }).ino;
      this.#watcher = watch(this.#options.directory, (event, name) => this.#event(event, name));
      this.#watcher.on("error", () => this.#open());
      this.#options.trouble(undefined);
    } catch (error) {
      this.#inode = undefined;
      this.#options.trouble(error);
    }
  }

  #event(event: string, name: string | null): void {
    // Kubernetes swaps the files of a mounted ConfigMap by renaming the link ..data: only that name is reported.
    if (name === null || name.startsWith("..")) this.#lookAtAll();
    else if (isManifest(name)) this.#markDirty(name, event === "change");
    else if (event === "rename") this.#checkDirectory();
  }

  #markDirty(name: string, written: boolean): void {
    this.#dirty.set(name, written || this.#dirty.get(name) === true);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // One turn of the event loop between two immediates: a file created in place has an event for its creation and
    // one for each write; a file moved into place has only the first. By then the second has been delivered, too.
    setImmediate(() => setImmediate(() => this.#lookAtDirty()));
  }

  #lookAtDirty(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    const fit = new Map<string, Fitness>();
    for (const [name, written] of this.#dirty) {
      const signature = this.#signature(name);
      if (signature === this.#taken.get(name)) this.#forget(name);
      else if (signature !== undefined && !written && this.#isNew(name, signature)) fit.set(name, "moved");
      else this.#wait(name, signature);
    }
    this.#dirty.clear();
    this.#take(fit);
  }

  /** An inode seen for the first time. An empty file is one that is about to be written. */
  #isNew(name: string, signature: string): boolean {
    const known = [this.#taken.get(name), this.#pending.get(name)?.signature].map(inodeOf);
    return !known.includes(inodeOf(signature)) && !signature.includes(" 0 ");
  }

  #wait(name: string, signature: string | undefined): void {
    const pending = this.#pending.get(name);
    if (pending !== undefined && pending.signature === signature) return;
    this.#forget(name);
    const { quietMs, graceMs } = this.#options.times;
    this.#pend(name, signature, performance.now(), signature === undefined ? graceMs : quietMs);
  }

  #pend(name: string, signature: string | undefined, since: number, forMs: number): void {
    const timer = setTimeout(() => this.#due(name), forMs);
    this.#pending.set(name, { signature, since, timer });
  }

  #due(name: string): void {
    const pending = this.#pending.get(name);
    if (pending === undefined) return;
    this.#pending.delete(name);
    const signature = this.#signature(name);
    if (signature !== pending.signature) this.#wait(name, signature);
    else if (signature !== undefined) this.#offer(name, signature, pending.since);
    else if (this.#checkDirectory()) this.#take(new Map([[name, "gone"]]));
  }

  #offer(name: string, signature: string, since: number): void {
    const { stillMs } = this.#options.times;
    const quietFor = performance.now() - since;
    const refused = this.#take(new Map([[name, quietFor < stillMs ? "quiet" : "still"]]));
    if (refused.has(name)) this.#pend(name, signature, since, stillMs - quietFor + 1);
  }

  #forget(name: string): void {
    clearTimeout(this.#pending.get(name)?.timer);
    this.#pending.delete(name);
  }

  #take(fit: ReadonlyMap<string, Fitness>): ReadonlySet<string> {
    if (fit.size === 0) return new Set();
    // The signature is from before the read: what is written during it makes another one, and is read again.
    const signatures = new Map([...fit.keys()].map((name) => [name, this.#signature(name)]));
    const refused = this.#options.take(fit);
    for (const [name, signature] of signatures) {
      if (refused.has(name)) continue;
      this.#forget(name);
      if (signature === undefined) this.#taken.delete(name);
      else this.#taken.set(name, signature);
    }
    return refused;
  }

  /** A directory that is gone removes nothing: it may be a volume that is being mounted again. */
  #checkDirectory(): boolean {
    let inode: bigint | undefined;
    try {
      inode = statSync(this.#options.directory, { bigint: true }).ino;
    } catch {
      // Opening it finds out why, and tells.
    }
    if (inode === undefined || inode !== this.#inode) this.#open();
    return this.#inode !== undefined;
  }

  #lookAtAll(): void {
    if (this.#closed || !this.#checkDirectory()) return;
    const names = [...new Set([...this.#list(), ...this.#taken.keys()])];
    const slice = () => {
      if (this.#closed) return;
      for (const name of names.splice(-sweepSlice)) {
        if (this.#signature(name) !== this.#taken.get(name) && !this.#pending.has(name)) this.#markDirty(name, false);
      }
      if (names.length > 0) setImmediate(slice);
    };
    slice();
  }

  #list(): string[] {
    if (this.#inode === undefined) return [];
    try {
      return readdirSync(this.#options.directory).filter(isManifest).sort();
    } catch (error) {
      this.#options.trouble(error);
      return [];
    }
  }

  #signature(name: string): string | undefined {
    let stats: BigIntStats | undefined;
    try {
      stats = statSync(join(this.#options.directory, name), { bigint: true, throwIfNoEntry: false });
    } catch {
      return "unreadable";
    }
    return stats?.isFile() === true ? `${stats.ino} ${stats.size} ${stats.mtimeNs}` : undefined;
  }
}

const inodeOf = (signature: string | undefined): string | undefined => signature?.split(" ")[0];

const isManifest = (name: string): boolean => !name.startsWith(".") && /\.(ya?ml|json)$/.test(name);

/** Files looked at in one turn of the event loop by the sweep: about half a millisecond. */
const sweepSlice = 250;
