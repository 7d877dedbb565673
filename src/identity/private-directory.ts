// A directory only its owner may look into: files are written whole or not at all, and changed under a lock that the
// kernel frees when its holder dies, however it dies.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { reasonOf, WeirError } from "../errors.ts";

/** How long another process may hold the lock. Seconds. */
const PATIENCE = 10;

export class PrivateDirectory {
  readonly path: string;

  /** Makes the directory (0700) when there is none. Throws AUTHORITY_UNUSABLE when others may look into it. */
  constructor(path: string) {
    this.path = path;
    this.#usable(() => {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const open = statSync(path).mode & 0o077;
      if (open !== 0) throw new Error(`others may use it; private keys need "chmod 700 ${path}"`);
    });
  }

  /** Undefined when there is no such file. Throws AUTHORITY_UNUSABLE, also when others may read it. */
  read(name: string): string | undefined {
    return this.#usable(() => {
      try {
        const file = join(this.path, name);
        if ((statSync(file).mode & 0o077) !== 0) throw new Error(`others may read ${name}; "chmod 600" it`);
        return readFileSync(file, "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    });
  }

  /** Replaces a file (0600) as a whole: after a crash it has the old content or the new. Throws AUTHORITY_UNUSABLE. */
  write(name: string, content: string): void {
    const file = join(this.path, name);
    const unfinished = `${file}.${randomBytes(6).toString("hex")}${UNFINISHED}`;
    this.#usable(() => {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      try {
        writeDurably(unfinished, content);
        renameSync(unfinished, file);
      } catch (error) {
        rmSync(unfinished, { force: true });
        throw error;
      }
      syncDirectory(dirname(file));
    });
  }

  /** Changes with every write; undefined when there is no such file. */
  signature(name: string): string | undefined {
    const stats = statSync(join(this.path, name), { bigint: true, throwIfNoEntry: false });
    return stats && `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
  }

  /** Does the work while no other process or caller does any here. Throws AUTHORITY_UNUSABLE when the lock stays taken. */
  async locked<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    const descriptor = this.#usable(() => openSync(join(this.path, "lock"), "a", 0o600));
    try {
      await this.#lock(descriptor);
      return await work();
    } finally {
      closeSync(descriptor);
    }
  }

  /** Removes what writers left that were killed; what is new may belong to one who lives. */
  sweep(): void {
    for (const name of readdirSync(this.path, { recursive: true, encoding: "utf8" })) {
      const file = join(this.path, name);
      const changed = name.endsWith(UNFINISHED) && statSync(file, { throwIfNoEntry: false })?.mtimeMs;
      if (changed && Date.now() - changed > ABANDONED) rmSync(file, { force: true });
    }
  }

  /** An error of this directory. */
  unusable(error: unknown): WeirError {
    if (error instanceof WeirError) return error;
    return new WeirError("AUTHORITY_UNUSABLE", { directory: this.path, why: reasonOf(error) }, error);
  }

  // flock(2) belongs to the open file, which the tool shares with this process: it locks, ends, and the lock stays.
  #lock(descriptor: number): Promise<void> {
    const tool = spawn("flock", ["--exclusive", "--timeout", String(PATIENCE), "3"], {
      stdio: ["ignore", "ignore", "ignore", descriptor],
    });
    return new Promise((resolve, reject) => {
      tool.once("error", (error) =>
        reject(this.unusable(`it cannot be locked: ${reasonOf(error)} (util-linux has flock)`)),
      );
      tool.once("close", (code) => {
        if (code === 0) resolve();
        else reject(this.unusable(`another process held its lock for ${PATIENCE} s`));
      });
    });
  }

  #usable<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw this.unusable(error);
    }
  }
}

const UNFINISHED = ".new";
/** No write takes this long. Milliseconds. */
const ABANDONED = 60_000;

function writeDurably(file: string, content: string): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
