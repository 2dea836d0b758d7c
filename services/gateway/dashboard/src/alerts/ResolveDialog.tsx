import type { Alert } from "@convex-alerts/client";
import { useState } from "react";
import { FormDialog, TextArea } from "../design";
import { titleOf } from "./titleOf";

export interface ResolveDialogProps {
  alerts: readonly Alert[];
  open: boolean;
  onClose: () => void;
  onResolve: (notes: string | undefined) => void;
}

/** Asks for a word about how it was resolved, and does not insist. */
export function ResolveDialog({ alerts, open, onClose, onResolve }: ResolveDialogProps) {
  const [notes, setNotes] = useState("");
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      {...titleOf("Resolve", alerts)}
      submit="Resolve"
      onSubmit={async () => {
        onResolve(notes.trim() || undefined);
        setNotes("");
      }}
    >
      <TextArea
        label="Notes"
        hint="What it was, what helped. Ctrl+Enter resolves."
        value={notes}
        maxLength={4000}
        autoFocus
        onChange={(change) => setNotes(change.target.value)}
        onKeyDown={(press) => {
          if (press.key === "Enter" && (press.ctrlKey || press.metaKey)) press.currentTarget.form?.requestSubmit();
        }}
      />
    </FormDialog>
  );
}
