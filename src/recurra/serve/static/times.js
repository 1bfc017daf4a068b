// An axis of times or of numbers, and how they are written.

import { count, ticks } from "./numbers.js";

const DAY = 86_400_000;
const UTC = { timeZone: "UTC" };
const written = (options) => new Intl.DateTimeFormat("en-GB", { ...UTC, ...options });

/** Return the places of x on a line of numbers, and `ticks(most)`: [place, text] pairs. */
export function timeAxis(x) {
  if (x.every((each) => typeof each === "number")) {
    const whole = x.every(Number.isInteger);
    return {
      values: x,
      ticks: (most) =>
        ticks(x[0], x.at(-1), most)
          .filter((value) => !whole || Number.isInteger(value))
          .map((value) => [value, whole ? count(value) : String(Number(value.toPrecision(6)))]),
    };
  }
  const values = x.map((each) => Date.parse(zoned(String(each))));
  const format = formatFor(values.at(-1) - values[0]);
  const every = (most) => Math.max(1, Math.ceil(x.length / most));
  return {
    values,
    ticks: (most) => values.filter((_, k) => k % every(most) === 0).map((value) => [value, format.format(value)]),
  };
}

/** Return one time as people write it. */
export function timeText(time) {
  if (typeof time === "number") return count(time);
  const value = Date.parse(zoned(time));
  if (Number.isNaN(value)) return time;
  const midnight = value % DAY === 0;
  const day = { day: "numeric", month: "short", year: "numeric" };
  return written(midnight ? { weekday: "short", ...day } : { ...day, hour: "2-digit", minute: "2-digit" }).format(value);
}

// A time without a zone is no time of this browser's zone.
const zoned = (time) => (/T.*(Z|[+-]\d\d:?\d\d)$/.test(time) || !time.includes("T") ? time : `${time}Z`);

function formatFor(span) {
  if (span > 5 * 365 * DAY) return written({ year: "numeric" });
  if (span > 300 * DAY) return written({ month: "short", year: "numeric" });
  if (span > 3 * DAY) return written({ day: "numeric", month: "short" });
  return written({ hour: "2-digit", minute: "2-digit" });
}
