import type { Alert } from "@convex-alerts/client";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button, Combobox, Dialog, Problem } from "../design";
import forms from "../forms/forms.module.css";
import { usePaused } from "../forms/usePaused";
import type { Assignee } from "../live/deeds";
import { answered } from "../rest/answered";
import { useMe } from "../session/SessionProvider";
import { useApi } from "../session/useApi";
import { titleOf } from "./titleOf";

export interface AssignDialogProps {
  alerts: readonly Alert[];
  open: boolean;
  onClose: () => void;
  onAssign: (to: Assignee | null) => void;
}

const SHOWN = 50;
const PAUSE = 150;

/** Asks for a member, found by a part of the id or name; choosing one does it. */
export function AssignDialog({ alerts, open, onClose, onAssign }: AssignDialogProps) {
  const me = useMe();
  const [text, setText] = useState("");
  const found = useAssignees(open, usePaused(text.trim(), PAUSE));
  const choose = (to: Assignee | null) => {
    onAssign(to);
    setText("");
    onClose();
  };
  return (
    <Dialog
      open={open}
      onClose={onClose}
      {...titleOf("Assign", alerts)}
      actions={
        <>
          {alerts.some(({ assigned_to }) => assigned_to) ? (
            <Button onClick={() => choose(null)}>To nobody in particular</Button>
          ) : null}
          <Button onClick={() => choose({ user_id: me.user_id, name: me.name })}>To me</Button>
        </>
      }
    >
      {found.error ? <Problem error={found.error} retry={() => void found.refetch()} /> : null}
      <Combobox
        label="To whom"
        hint="A part of the name or id. They find it in their inbox."
        text={text}
        onText={setText}
        options={found.data?.items}
        keyOf={({ user_id }) => user_id}
        labelOf={({ name }) => name}
        detailOf={({ name, user_id }) => (name === user_id ? null : user_id)}
        onChoose={choose}
        empty="No member is called that."
        autoFocus
      />
      {found.data?.next_cursor ? <p className={forms["hint"]}>These are the first; write more of the name.</p> : null}
    </Dialog>
  );
}

function useAssignees(enabled: boolean, q: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["assignees", q],
    enabled,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
    queryFn: () => answered(api.GET("/api/v1/assignees", { params: { query: { limit: SHOWN, ...(q ? { q } : {}) } } })),
  });
}
