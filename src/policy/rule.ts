// One rule of an AuthorizationPolicy, compiled to what can be decided from a connection (L4). What cannot be decided
// (HTTP fields, fields nobody knows) is left out and named: leaving it out makes a rule match more, never less, so the
// caller keeps such a rule for DENY and drops it for ALLOW.
import type { ConditionSpec, FieldValues, RuleSpec } from "../kube/authorization-policy.ts";
import { parseBlocks, parseMatch, parsePort, parsePrincipal, parseServiceAccount, ValueError } from "./values.ts";
import { type Condition, ConditionKey, type Operation, type Rule, type Source } from "./wire.ts";

export interface CompiledRule {
  readonly rule: Rule;
  /** Fields left out, as in `from[0].requestPrincipals`. */
  readonly undecided: readonly string[];
  /** What is wrong with the rule, a sentence each; it may not be used then. */
  readonly invalid: readonly string[];
}

/** Reads the values of one field; values it refuses are noted as invalid. */
type Reader = (values: readonly string[]) => unknown[];

export function compileRule(spec: RuleSpec, index: number, namespace: string): CompiledRule {
  const undecided: string[] = [...spec.unknown];
  const invalid: string[] = [];
  const context = { undecided, invalid };
  const from = compileEntries<Source>("from", spec.from, sourceReaders(namespace), context);
  const to = compileEntries<Operation>("to", spec.to, operationReaders, context);
  for (const [at, source] of (spec.from ?? []).entries()) {
    if (accountFields.some((name) => source.has(name)) && identityFields.some((name) => source.has(name))) {
      invalid.push(`from[${at}] has serviceAccounts beside principals or namespaces, which excludes them`);
    }
  }
  if (spec.when?.length === 0) invalid.push("when is empty");
  const when = (spec.when ?? []).flatMap((condition, at) => compileCondition(condition, at, context) ?? []);
  return { rule: { index, from, to, when }, undecided, invalid };
}

interface Context {
  readonly undecided: string[];
  readonly invalid: string[];
}

/** An entry left empty would match anything; then the whole list does, which an empty list says without doubt. */
function compileEntries<Entry extends object>(
  list: "from" | "to",
  entries: readonly FieldValues[] | undefined,
  readers: Readonly<Record<string, Reader>>,
  context: Context,
): Entry[] {
  if (entries?.length === 0) context.invalid.push(`${list} is empty`);
  const compiled = (entries ?? []).map((fields, at) =>
    compileFields<Entry>(`${list}[${at}]`, fields, readers, context),
  );
  return compiled.some((entry) => Object.keys(entry).length === 0) ? [] : compiled;
}

function compileFields<Entry extends object>(
  where: string,
  fields: FieldValues,
  readers: Readonly<Record<string, Reader>>,
  context: Context,
): Entry {
  if (fields.size === 0) context.invalid.push(`${where} is empty`);
  const entry: Record<string, unknown[]> = {};
  for (const [name, values] of fields) {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (reader === undefined) context.undecided.push(`${where}.${name}`);
    const read = readValues(`${where}.${name}`, values, reader ?? (() => []), context);
    if (reader !== undefined) entry[name] = read;
  }
  return entry as Entry;
}

function compileCondition(spec: ConditionSpec, at: number, context: Context): Condition | undefined {
  const where = `when[${at}] (${spec.key})`;
  if (spec.key === "") context.invalid.push(`when[${at}] has no key`);
  if (spec.values.length + spec.notValues.length === 0)
    context.invalid.push(`${where} has neither values nor notValues`);
  const form = Object.hasOwn(conditionForms, spec.key)
    ? conditionForms[spec.key as keyof typeof ConditionKey]
    : undefined;
  if (form === undefined) context.undecided.push(where);
  const read = (name: string, values: readonly string[]) =>
    readValues(`${where} ${name}`, values, form?.read ?? (() => []), context);
  const [values, notValues] = [read("values", spec.values), read("notValues", spec.notValues)];
  if (form === undefined) return undefined;
  return {
    key: ConditionKey[spec.key as keyof typeof ConditionKey],
    ...(values.length > 0 ? { [form.field]: values } : {}),
    ...(notValues.length > 0 ? { [form.notField]: notValues } : {}),
  };
}

function readValues(where: string, values: readonly string[], reader: Reader, context: Context): unknown[] {
  if (values.includes("")) {
    context.invalid.push(`${where} has an empty value`);
    return [];
  }
  try {
    return reader(values);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    context.invalid.push(`${where}: ${error.message}`);
    return [];
  }
}

const each =
  (parse: (value: string) => unknown): Reader =>
  (values) =>
    values.map((value) => parse(value));

const readMatches = each(parseMatch);
const readPrincipals = each(parsePrincipal);
const readPorts = each(parsePort);
const readBlocks: Reader = (values) => values.flatMap((value) => parseBlocks(value));

function sourceReaders(namespace: string): Readonly<Record<keyof Source, Reader>> {
  const readAccounts = each((value) => parseServiceAccount(value, namespace));
  return {
    principals: readPrincipals,
    notPrincipals: readPrincipals,
    namespaces: readMatches,
    notNamespaces: readMatches,
    serviceAccounts: readAccounts,
    notServiceAccounts: readAccounts,
    ipBlocks: readBlocks,
    notIpBlocks: readBlocks,
  };
}

const operationReaders: Readonly<Record<keyof Operation, Reader>> = { ports: readPorts, notPorts: readPorts };

const strings = { field: "values", notField: "notValues" } as const;
const blocks = { field: "blocks", notField: "notBlocks", read: readBlocks } as const;

const conditionForms = {
  "source.ip": blocks,
  "source.namespace": { ...strings, read: readMatches },
  "source.principal": { ...strings, read: readPrincipals },
  "destination.ip": blocks,
  "destination.port": { field: "ports", notField: "notPorts", read: readPorts },
} as const satisfies Record<keyof typeof ConditionKey, { field: string; notField: string; read: Reader }>;

const accountFields = ["serviceAccounts", "notServiceAccounts"] as const;
const identityFields = ["principals", "notPrincipals", "namespaces", "notNamespaces"] as const;
