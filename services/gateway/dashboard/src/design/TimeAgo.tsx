import { briefly, moment, useNow } from "./time";

/** How long ago something was, kept up to date; the full time on hovering. */
export function TimeAgo({ time, suffix = "" }: { time: string; suffix?: string }) {
  const at = Date.parse(time);
  const text = useNow((now) => (at > now + 1000 ? `in ${briefly(at - now)}` : `${briefly(now - at)}${suffix}`));
  return (
    <time dateTime={time} title={moment(time)}>
      {text}
    </time>
  );
}
