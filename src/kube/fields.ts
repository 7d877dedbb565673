// Typed access to the fields of an untyped object, which remembers where it is: a wrong type becomes an error that
// names the path. A null counts as absent, as it does in Kubernetes.

export type FieldPath = readonly (string | number)[];

/** A field is missing, has the wrong type, or a value it cannot have. */
export class FieldError extends Error {
  readonly path: FieldPath;

  constructor(path: FieldPath, problem: string) {
    super(path.length === 0 ? problem : `${formatPath(path)}: ${problem}`);
    this.name = "FieldError";
    this.path = path;
  }
}

export class Fields {
  readonly path: FieldPath;
  readonly #values: Readonly<Record<string, unknown>>;

  /** Throws FieldError when `value` is not an object. */
  constructor(value: unknown, path: FieldPath = []) {
    if (!isObject(value)) throw new FieldError(path, `expected an object, got ${show(value)}`);
    this.#values = value;
    this.path = path;
  }

  /** Names of the fields that are there. */
  get names(): string[] {
    return Object.keys(this.#values).filter((name) => this.has(name));
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  /** The object under `name`; one without fields when it is absent. */
  object(name: string): Fields {
    return new Fields(this.#value(name) ?? {}, [...this.path, name]);
  }

  string(name: string): string {
    return this.optionalString(name) ?? this.#fail(name, "a string");
  }

  optionalString(name: string): string | undefined {
    const value = this.#value(name);
    return value === undefined || typeof value === "string" ? value : this.#fail(name, "a string");
  }

  boolean(name: string): boolean | undefined {
    const value = this.#value(name);
    return value === undefined || typeof value === "boolean" ? value : this.#fail(name, "true or false");
  }

  integer(name: string, least: number, most: number): number {
    return this.optionalInteger(name, least, most) ?? this.#fail(name, `an integer ${least}..${most}`);
  }

  optionalInteger(name: string, least: number, most: number): number | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    return this.#fail(name, `an integer ${least}..${most}`);
  }

  /** Each item of a list of objects; empty when it is absent. */
  list<Item>(name: string, read: (item: Fields) => Item): Item[] {
    return this.#array(name, "a list").map((item, index) => read(new Fields(item, [...this.path, name, index])));
  }

  strings(name: string): string[] {
    for (const [index, item] of this.#array(name, "a list of strings").entries()) {
      if (typeof item !== "string") throw expected([...this.path, name, index], "a string", item);
    }
    return (this.#value(name) as string[] | undefined) ?? [];
  }

  /** A map of strings, such as labels. */
  stringMap(name: string): Readonly<Record<string, string>> {
    const values = this.#value(name);
    if (values === undefined) return noStrings;
    if (!isObject(values)) return this.#fail(name, "a map of strings");
    for (const [key, value] of Object.entries(values)) {
      if (typeof value !== "string") throw expected([...this.path, name, key], "a string", value);
    }
    return values as Record<string, string>;
  }

  /** Throws FieldError for the field `name`. */
  refuse(name: string, problem: string): never {
    throw new FieldError([...this.path, name], problem);
  }

  #array(name: string, what: string): unknown[] {
    const value = this.#value(name) ?? [];
    return Array.isArray(value) ? value : this.#fail(name, what);
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  #fail(name: string, what: string): never {
    throw expected([...this.path, name], what, this.#value(name));
  }
}

/** spec.ports[0].port, metadata.labels["app.kubernetes.io/name"] */
export function formatPath(path: FieldPath): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^\w+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

function expected(path: FieldPath, what: string, value: unknown): FieldError {
  const hint = what === "a string" && ["number", "boolean"].includes(typeof value) ? " (put it in quotes)" : "";
  return new FieldError(path, `expected ${what}, got ${show(value)}${hint}`);
}

function show(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const noStrings: Readonly<Record<string, string>> = Object.freeze({});
