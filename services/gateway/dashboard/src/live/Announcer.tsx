import type { Alert } from "@convex-alerts/client";
import { useEffect, useState } from "react";
import type { Live } from "./Live";

const PAUSE = 8000;

/** Tells screen readers what begins to fire: at most once in eight seconds, however much it is. */
export function Announcer({ live }: { live: Live }) {
  const [text, setText] = useState("");
  useEffect(() => {
    let waiting: Alert[] = [];
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const speak = () => {
      quiet = undefined;
      const last = waiting.at(-1);
      if (last === undefined) return;
      const one = `${last.severity}: ${last.title}`;
      setText(waiting.length === 1 ? one : `${waiting.length} new alerts, the last one ${one}`);
      waiting = [];
      quiet = setTimeout(speak, PAUSE);
    };
    const stop = live.onNews((alert) => {
      waiting.push(alert);
      quiet ??= setTimeout(speak, 500);
    });
    return () => {
      stop();
      clearTimeout(quiet);
    };
  }, [live]);
  return (
    <div className="visually-hidden" aria-live="polite" data-testid="announcer">
      {text}
    </div>
  );
}
