import type { Alert } from "@convex-alerts/client";
import { lazy, Suspense } from "react";
import type { Action, Deed } from "../live/deeds";
import { ResolveDialog } from "./ResolveDialog";
import { SnoozeDialog } from "./SnoozeDialog";

const AssignDialog = lazy(() => import("./AssignDialog").then((module) => ({ default: module.AssignDialog })));

/** What has to be asked for before it is done. */
export type Asking = Exclude<Action, "acknowledge">;

export interface DeedDialogsProps {
  alerts: readonly Alert[];
  /** Null: nothing is asked. */
  asking: Asking | null;
  onClose: () => void;
  onDeed: (deed: Deed) => void;
}

/** Asks for what a deed needs: notes, an end, a member. */
export function DeedDialogs({ alerts, asking, onClose, onDeed }: DeedDialogsProps) {
  return (
    <>
      <ResolveDialog
        alerts={alerts}
        open={asking === "resolve"}
        onClose={onClose}
        onResolve={(notes) => onDeed({ action: "resolve", notes })}
      />
      <SnoozeDialog
        alerts={alerts}
        open={asking === "snooze"}
        onClose={onClose}
        onSnooze={(until) => onDeed({ action: "snooze", until })}
      />
      {asking === "assign" ? (
        <Suspense fallback={null}>
          <AssignDialog alerts={alerts} open onClose={onClose} onAssign={(to) => onDeed({ action: "assign", to })} />
        </Suspense>
      ) : null}
    </>
  );
}
