import type { Alert } from "@convex-alerts/client";
import { useState } from "react";
import { Button, FormDialog, moment } from "../design";
import forms from "../forms/forms.module.css";
import { LengthField } from "../forms/LengthField";
import { type Length, secondsOf } from "../forms/length";
import { titleOf } from "./titleOf";

export interface SnoozeDialogProps {
  alerts: readonly Alert[];
  open: boolean;
  onClose: () => void;
  /** Until when; null ends it. */
  onSnooze: (until: string | null) => void;
}

const USUAL: Length = { amount: "1", unit: "h" };
const QUICK: readonly Length[] = [
  USUAL,
  { amount: "4", unit: "h" },
  { amount: "1", unit: "d" },
  { amount: "7", unit: "d" },
];
const LONGEST = 30 * 86_400;

/** Asks for how long nobody is to be told. */
export function SnoozeDialog({ alerts, open, onClose, onSnooze }: SnoozeDialogProps) {
  const [length, setLength] = useState(USUAL);
  const seconds = secondsOf(length);
  const fault =
    seconds === null || seconds === 0
      ? "Such as 4 hours."
      : seconds > LONGEST
        ? "At most 30 days; make a silence for longer."
        : undefined;
  const end = () => new Date(Date.now() + (seconds ?? 0) * 1000).toISOString();
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      {...titleOf("Snooze", alerts)}
      submit="Snooze"
      onSubmit={async () => {
        if (fault !== undefined) throw new Error(fault);
        onSnooze(end());
        setLength(USUAL);
      }}
    >
      <LengthField
        label="For"
        value={length}
        error={fault}
        hint={fault ? undefined : `Nobody is told before ${moment(end())}; then again, if it is still open.`}
        onChange={setLength}
        autoFocus
      />
      <div className={forms["buttons"]}>
        {QUICK.map((quick) => (
          <Button key={`${quick.amount}${quick.unit}`} size="small" onClick={() => setLength(quick)}>
            {quick.amount} {quick.unit}
          </Button>
        ))}
        {alerts.some(({ snoozed_until }) => snoozed_until) ? (
          <Button
            size="small"
            onClick={() => {
              onSnooze(null);
              onClose();
            }}
          >
            End the snooze
          </Button>
        ) : null}
      </div>
    </FormDialog>
  );
}
