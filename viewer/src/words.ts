// Numbers, sizes and times as people read them.

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const DATE = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

export const count = (n: number): string => n.toLocaleString("en");
export const counted = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export function bytes(n: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; n >= 1000 && step < units.length - 1; step++) n /= 1000;
  return `${step && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[step]}`;
}

// "3 hours ago" within a week, a date before that.
export function ago(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1000;
  if (!Number.isFinite(seconds)) return time;
  if (seconds > 7 * 86_400) return DATE.format(Date.parse(time));
  for (const [unit, length] of STEPS)
    if (seconds >= length) return RELATIVE.format(-Math.floor(seconds / length), unit);
  return "just now";
}

export function moment(time: string): string {
  return Number.isFinite(Date.parse(time)) ? MOMENT.format(Date.parse(time)) : time;
}

// A value of an info, whatever JSON it is.
export function value(thing: unknown): string {
  return typeof thing === "string" ? thing : JSON.stringify(thing);
}
