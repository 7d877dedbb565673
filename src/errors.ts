// Every error a user can meet: a code, a sentence, and what to do next. docs/errors.md lists the same, held by a test.

interface CatalogueEntry {
  /** With {placeholders} for what and where. */
  readonly message: string;
  /** What the reader can do about it. */
  readonly next: string;
  /** HTTP status where the admin interface answers with it. */
  readonly status: number;
  readonly retryable: boolean;
}

const catalogueOf = <Code extends string>(entries: Record<Code, CatalogueEntry>) => entries;

export const errorCatalogue = catalogueOf({
  CONFIG_INVALID: {
    message: "{setting} cannot be used: {why}",
    next: "Correct the setting; --help lists what each one takes.",
    status: 400,
    retryable: false,
  },
  DIRECTORY_UNREADABLE: {
    message: "the directory {directory} cannot be read: {why}",
    next: "Create the directory or correct --source; what was read from it before stays in force meanwhile.",
    status: 500,
    retryable: true,
  },
  FILE_UNREADABLE: {
    message: "the file cannot be read: {why}",
    next: "Let the agent read the file; its last good content stays in force meanwhile.",
    status: 422,
    retryable: true,
  },
  FILE_TOO_LARGE: {
    message: "the file has {size} bytes, more than the {limit} a manifest may have",
    next: "Split the file; its last good content stays in force meanwhile.",
    status: 422,
    retryable: false,
  },
  FILE_EMPTIED: {
    message: "the file was emptied in place, which looks like a write that has not finished",
    next: "Write the file, or remove it to remove its objects; its last good content stays in force meanwhile.",
    status: 422,
    retryable: true,
  },
  FILE_SYNTAX: {
    message: "the text is not valid YAML: {why}",
    next: "Correct the text; the file's last good content stays in force meanwhile.",
    status: 422,
    retryable: false,
  },
  OBJECT_INVALID: {
    message: "{object} is not valid: {why}",
    next: "Correct the object; the file's last good content stays in force meanwhile.",
    status: 422,
    retryable: false,
  },
  OBJECT_DUPLICATE: {
    message: "{object} is already defined at {first}",
    next: "Keep one of the two; the file's last good content stays in force meanwhile.",
    status: 422,
    retryable: false,
  },
  STATE_UNUSABLE: {
    message: "the state file {file} cannot be used: {why}",
    next: "Free space or correct the rights of the state directory; ids may not be used before they are stored.",
    status: 500,
    retryable: true,
  },
  AUTHORITY_UNUSABLE: {
    message: "the certificate authority in {directory} cannot be used: {why}",
    next: "Correct the directory or its files; what was signed stays valid meanwhile.",
    status: 500,
    retryable: true,
  },
  KERNEL_UNSUPPORTED: {
    message: "this kernel cannot run Weir: {why}",
    next: "Run weir check; it says what this kernel lacks, a sentence each.",
    status: 500,
    retryable: false,
  },
  ROOT_NEEDED: {
    message: "weir {command} loads, reads or removes kernel state, which needs root",
    next: "Run it again as root.",
    status: 403,
    retryable: false,
  },
  AGENT_UNREACHABLE: {
    message: "no agent answers on {socket}: {why}",
    next: "Start weir agent, or name its socket with --server.",
    status: 503,
    retryable: true,
  },
  AGENT_RUNNING: {
    message: "an agent for node {node} is already running with state directory {directory}",
    next: "Stop it first, or give this one another --node and --state-dir.",
    status: 409,
    retryable: false,
  },
  ADDRESS_IN_USE: {
    message: "cannot listen on {address}: {why}",
    next: "Choose another address for this listener, or stop what holds it.",
    status: 500,
    retryable: true,
  },
  QUERY_INVALID: {
    message: "the question cannot be answered: {why}",
    next: "Correct the arguments; --help shows their form.",
    status: 400,
    retryable: false,
  },
  NOT_FOUND: {
    message: "there is no {what}",
    next: "Run weir get; it lists what there is.",
    status: 404,
    retryable: false,
  },
});

export type ErrorCode = keyof typeof errorCatalogue;

/** An error of the catalogue: message = the sentence with its details, next = what to do. */
export class WeirError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  readonly status: number;
  readonly retryable: boolean;

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}, cause?: unknown) {
    const entry = errorCatalogue[code];
    super(fill(entry.message, details), cause === undefined ? undefined : { cause });
    this.name = "WeirError";
    this.code = code;
    this.next = entry.next;
    this.status = entry.status;
    this.retryable = entry.retryable;
  }
}

/** Something that is wrong now and that `weir status` shows: where as in file:line:column or KIND NAMESPACE/NAME. */
export interface Problem {
  readonly where: string;
  readonly message: string;
}

/** What went wrong in words, for the {why} of an error that wraps another. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function fill(template: string, details: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? "?"));
}
