import type { Job } from "../../rest/types";

/** Where a job stands, in a word, and what to think of it. */
export interface Standing {
  tone: "good" | "info" | "warning" | "error" | "neutral";
  words: string;
}

export function standingOf(job: Job): Standing {
  if (job.running) return { tone: "info", words: "running" };
  if (job.suspended) return { tone: "neutral", words: "suspended" };
  const failed = job.last_status === "failed" || job.last_status === "quarantined";
  if (job.overdue) return { tone: "error", words: failed ? `${job.last_status}, overdue` : "overdue" };
  switch (job.last_status) {
    case null:
      return { tone: "neutral", words: "not run yet" };
    case "completed":
      return { tone: "good", words: "completed" };
    case "skipped":
      return { tone: "neutral", words: "skipped" };
    default:
      return { tone: "error", words: job.last_status };
  }
}

const MINUTE = 60_000;

/** Milliseconds from slot to slot of the simple timetables that jobs have; null for others. */
export function periodOf(schedule: string): number | null {
  const [minute = "", hour = "", day, month, weekday, ...more] = schedule.trim().split(/\s+/);
  if (day !== "*" || month !== "*" || weekday !== "*" || more.length > 0) return null;
  const everyMinutes = /^\*\/(\d+)$/.exec(minute);
  if (everyMinutes && hour === "*") return Number(everyMinutes[1]) * MINUTE;
  if (!/^\d+$/.test(minute)) return null;
  const everyHours = /^\*\/(\d+)$/.exec(hour);
  if (everyHours) return Number(everyHours[1]) * 60 * MINUTE;
  if (hour === "*") return 60 * MINUTE;
  return /^\d+$/.test(hour) ? 24 * 60 * MINUTE : null;
}

/** A timetable as one says it; others stay as they are. */
export function timetable(schedule: string): string {
  const [minute = "", hour = ""] = schedule.split(/\s+/);
  const period = periodOf(schedule);
  if (period === null) return schedule;
  if (period < 60 * MINUTE) return `every ${period / MINUTE} minutes`;
  if (period === 60 * MINUTE) return minute === "0" ? "every hour" : `every hour, ${minute} minutes past`;
  if (period < 24 * 60 * MINUTE) return `every ${period / 60 / MINUTE} hours`;
  return `daily at ${hour.padStart(2, "0")}:${minute.padStart(2, "0")} UTC`;
}
