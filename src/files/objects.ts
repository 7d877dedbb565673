// The objects in force, and which file each comes from. An object belongs to one file: a file that defines another
// file's object is refused until that file lets go of it.
import { isDeepStrictEqual } from "node:util";
import type { Resource, ResourceChanges, ResourceKey } from "../kube/resources.ts";
import type { Placed } from "./document.ts";

export type FileObjects = ReadonlyMap<ResourceKey, Placed>;

export interface Conflict {
  /** The object in the refused file. */
  readonly object: Placed;
  /** file:line of the one in force. */
  readonly first: string;
}

export class Objects {
  readonly #byFile = new Map<string, FileObjects>();
  readonly #fileOf = new Map<ResourceKey, string>();
  /** What was in force at the last drain, for the keys touched since. */
  #touched = new Map<ResourceKey, Resource | undefined>();

  /** What is in force from a file. */
  of(file: string): FileObjects {
    return this.#byFile.get(file) ?? nothing;
  }

  /** Puts a file's objects into force, all or none; answers every object that another file already defines. */
  replace(file: string, objects: FileObjects): Conflict[] {
    const conflicts = this.#conflicts(file, objects);
    if (conflicts.length > 0) return conflicts;
    const before = this.of(file);
    for (const key of [...before.keys(), ...objects.keys()]) {
      if (!this.#touched.has(key)) this.#touched.set(key, before.get(key)?.resource);
    }
    for (const key of before.keys()) if (!objects.has(key)) this.#fileOf.delete(key);
    for (const key of objects.keys()) this.#fileOf.set(key, file);
    if (objects.size === 0) this.#byFile.delete(file);
    else this.#byFile.set(file, objects);
    return [];
  }

  /** What has changed since the last call, as one batch. */
  drain(): ResourceChanges {
    const upserts: Resource[] = [];
    const deletes: ResourceKey[] = [];
    for (const [key, before] of this.#touched) {
      const now = this.of(this.#fileOf.get(key) ?? "").get(key)?.resource;
      if (now === before || isDeepStrictEqual(now, before)) continue;
      if (now === undefined) deletes.push(key);
      else upserts.push(now);
    }
    this.#touched = new Map();
    return { upserts, deletes };
  }

  #conflicts(file: string, objects: FileObjects): Conflict[] {
    const conflicts: Conflict[] = [];
    for (const [key, object] of objects) {
      const owner = this.#fileOf.get(key);
      if (owner === undefined || owner === file) continue;
      conflicts.push({ object, first: `${owner}:${this.of(owner).get(key)?.position.line ?? 1}` });
    }
    return conflicts;
  }
}

const nothing: FileObjects = new Map();
