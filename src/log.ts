// One structured logger, made in the composition root and passed down; parts log through a child that names them.
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

export type Log = Logger;

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines with ISO times, to standard error unless a destination is given: standard output belongs to commands. */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ fd: 2, sync: true }),
): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

/** The logger of one part of the agent. */
export const componentLog = (log: Log, component: string): Log => log.child({ component });
