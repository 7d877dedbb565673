// Times as users write and read them, all in UTC, as hubble observe has them.
import { WeirError } from "../errors.ts";

/** "5m", "1h30m", or a date: RFC 3339 whole or cut short. Answers RFC 3339. */
export function parseTime(text: string, now: Date): string {
  const relative = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text);
  if (text !== "" && relative !== null) {
    const [, hours = 0, minutes = 0, seconds = 0] = relative;
    const ago = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1_000;
    return new Date(now.getTime() - ago).toISOString();
  }
  const hourOnly = /^(\d{4}-\d\d-\d\dT\d\d)(Z|[+-]\d\d:\d\d)$/.exec(text);
  const parsed = Date.parse(hourOnly === null ? text : `${hourOnly[1]}:00${hourOnly[2]}`);
  if (Number.isNaN(parsed))
    throw new WeirError("QUERY_INVALID", { why: `"${text}" is neither a time span such as 5m nor a date` });
  return new Date(parsed).toISOString();
}

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** By the names hubble observe gives its formats. */
export const timeFormats: Readonly<Record<string, (time: string) => string>> = {
  StampMilli: (time) => `${months[Number(time.slice(5, 7)) - 1]} ${day(time)} ${time.slice(11, 23)}`,
  YearMonthDay: (time) => time.slice(0, 10),
  YearMonthDayHour: (time) => `${time.slice(0, 13)}Z`,
  YearMonthDayHourMinute: (time) => `${time.slice(0, 16)}Z`,
  RFC3339: (time) => `${time.slice(0, 19)}Z`,
  RFC3339Milli: (time) => time,
  RFC1123Z: (time) => new Date(time).toUTCString().replace("GMT", "+0000"),
};

const day = (time: string): string => String(Number(time.slice(8, 10))).padStart(2);
