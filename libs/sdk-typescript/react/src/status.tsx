import type { State } from "@convex-alerts/client";
import type { ReactElement } from "react";

const WORDS: Readonly<Record<State, string>> = {
  idle: "Not connected",
  connecting: "Connecting…",
  connected: "Live",
  stale: "Live, but the server's store is away",
  reconnecting: "Connection lost, coming back…",
  polling: "Updated every few seconds",
  failed: "Not connected",
  closed: "Not connected",
};

export interface StatusProps {
  state: State;
  className?: string | undefined;
}

/** How the live feed stands, in words, told to screen readers when it changes. Style it by `data-state`. */
export function Status({ state, className }: StatusProps): ReactElement {
  return (
    <output className={className} data-state={state}>
      {WORDS[state]}
    </output>
  );
}
