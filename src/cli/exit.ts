// Exit codes; docs/cli.md and --help say the same.
import type { ErrorCode } from "../errors.ts";

export const Exit = {
  ok: 0,
  /** A check failed, a connection is denied, or the command could not do its work. */
  failed: 1,
  usage: 2,
  agentUnreachable: 3,
  notFound: 4,
} as const;

export const exitHelp = `Exit codes: 0 done; 1 a check failed, a connection is denied, or the work could not be done;
2 wrong usage; 3 no agent answers; 4 no such thing.`;

const byCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  CONFIG_INVALID: Exit.usage,
  QUERY_INVALID: Exit.usage,
  AGENT_UNREACHABLE: Exit.agentUnreachable,
  NOT_FOUND: Exit.notFound,
};

export const exitOf = (code: string): number => byCode[code as ErrorCode] ?? Exit.failed;
