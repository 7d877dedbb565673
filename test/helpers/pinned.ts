// Rows of an agent's pinned tables, written and removed behind its back: how a test fills or empties one.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../../src/demo/command.ts";

interface Row {
  readonly key: readonly string[];
}

export class PinnedTable {
  readonly #path: string;

  /** The node's name, and the table's in bpf/maps.h. */
  constructor(node: string, table: string) {
    this.#path = `/sys/fs/bpf/weir/${node}/maps/${table}`;
  }

  /** Bytes of every key there is. */
  async keys(): Promise<number[][]> {
    const rows: readonly Row[] = JSON.parse(await command(["bpftool", "-j", "map", "dump", "pinned", this.#path]));
    return rows.map(({ key }) => key.map(Number));
  }

  /** Writes rows whose keys are a prefix and a number, until there are as many rows as fit. Answers their keys. */
  async fill(prefix: readonly number[] = []): Promise<number[][]> {
    const { bytes_key, max_entries } = await this.#layout();
    const room = max_entries - (await this.keys()).length;
    const keys = Array.from({ length: room }, (_, index) => {
      const key = Buffer.alloc(bytes_key);
      key.set(prefix);
      key.writeUInt32LE(0xffff_0000 + index, bytes_key - 4);
      return [...key];
    });
    await this.put(keys);
    return keys;
  }

  /** Writes rows of zeros. */
  async put(keys: readonly (readonly number[])[]): Promise<void> {
    const value = Array((await this.#layout()).bytes_value)
      .fill(0)
      .join(" ");
    await this.#batch(keys.map((key) => `map update pinned ${this.#path} key ${key.join(" ")} value ${value}`));
  }

  async remove(keys: readonly (readonly number[])[]): Promise<void> {
    await this.#batch(keys.map((key) => `map delete pinned ${this.#path} key ${key.join(" ")}`));
  }

  async #layout(): Promise<{ bytes_key: number; bytes_value: number; max_entries: number }> {
    return JSON.parse(await command(["bpftool", "-j", "map", "show", "pinned", this.#path]));
  }

  async #batch(lines: readonly string[]): Promise<void> {
    const directory = mkdtempSync(join(tmpdir(), "weir-rows-"));
    try {
      writeFileSync(join(directory, "batch"), `${lines.join("\n")}\n`);
      await command(["bpftool", "batch", "file", join(directory, "batch")]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
}
