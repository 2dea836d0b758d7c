import type { Alert } from "@convex-alerts/client";
import { useMemo, useState } from "react";
import { Problem, TextArea } from "../design";
import styles from "../forms/forms.module.css";
import { Guarded } from "../forms/Guarded";
import { type Faults, faultOf, NO_FAULTS, unplaced } from "../forms/problems";
import { useSubmission } from "../forms/useSubmission";
import { useLive } from "../live/LiveProvider";
import { answered } from "../rest/answered";
import { useApi } from "../session/useApi";

/** As many characters as the API takes. */
const LONGEST = 4000;
const FIELDS = ["text"];

/** A word about an alert, open or resolved: it is on the timeline of everybody who looks. */
export function CommentForm({ alert, onDone }: { alert: Alert; onDone: () => void }) {
  const api = useApi();
  const live = useLive();
  const [text, setText] = useState("");
  const said = text.trim();
  const faults = useMemo<Faults>(() => (said === "" ? { text: "Write something first." } : NO_FAULTS), [said]);
  const { element, busy, error, shown, onSubmit, changed, refilled } = useSubmission(faults);
  const submit = onSubmit(async () => {
    const params = { path: { alert_id: alert.id } };
    live.take(await answered(api.POST("/api/v1/alerts/{alert_id}/comment", { params, body: { text: said } })));
    setText("");
    refilled();
    onDone();
  });
  return (
    <form ref={element} className={styles["rows"]} onSubmit={submit} noValidate>
      <TextArea
        label="Comment"
        rows={2}
        maxLength={LONGEST}
        hint="Everybody reads it. Ctrl+Enter sends it."
        value={text}
        error={faultOf(shown, "text")}
        onChange={(change) => {
          setText(change.target.value);
          changed();
        }}
        onKeyDown={(press) => {
          if (press.key === "Enter" && (press.ctrlKey || press.metaKey)) press.currentTarget.form?.requestSubmit();
        }}
      />
      {error && (Object.keys(shown).length === 0 || unplaced(shown, FIELDS).length > 0) ? (
        <Problem error={error} />
      ) : null}
      <div className={styles["buttons"]}>
        <Guarded needs="responder" type="submit" busy={busy}>
          Comment
        </Guarded>
      </div>
    </form>
  );
}
