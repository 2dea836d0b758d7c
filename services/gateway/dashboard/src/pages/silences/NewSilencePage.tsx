import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Button, moment, Page, Problem, Select, SeverityBadge, TextArea, TextField, useToast } from "../../design";
import { Faulty } from "../../forms/Faulty";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { LengthField } from "../../forms/LengthField";
import { MatchersField } from "../../forms/MatchersField";
import { type Matcher, matchersIn } from "../../forms/matchers";
import { faultOf } from "../../forms/problems";
import { usePaused } from "../../forms/usePaused";
import { useSubmission } from "../../forms/useSubmission";
import { answered } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import { useApi } from "../../session/useApi";
import own from "../rules/rules.module.css";
import { emptySilence, QUICK, RECURRENCES, type SilenceForm, silenceBody } from "./form";

const FIELDS = ["matchers", "starts_at", "ends_at", "comment", "timezone"];

/** Makes a silence; `?matcher=team="shop"`, once or several times, fills it in. */
export function NewSilencePage() {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const navigate = useNavigate();
  const search = useSearch({ strict: false }) as Record<string, unknown>;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [form, setForm] = useState<SilenceForm>(() => emptySilence(matchersIn(search["matcher"]), zone));

  const { body, faults } = silenceBody(form, Date.now());
  const { element, busy, error, shown, onSubmit, changed } = useSubmission(faults);
  const change = (part: Partial<SilenceForm>) => {
    setForm((before) => ({ ...before, ...part }));
    changed();
  };
  const save = async () => {
    await answered(api.POST("/api/v1/silences", { body: silenceBody(form, Date.now()).body }));
    await stale("silences");
    say("The silence is made.");
    await navigate({ to: "/silences", search: { state: form.from === "" ? "active" : "pending" } as never });
  };
  return (
    <Page title="New silence" back={<Link to="/silences">Silences</Link>}>
      <div className={own["split"]}>
        <form ref={element} className={styles["form"]} onSubmit={onSubmit(save)} noValidate>
          <MatchersField
            legend="Which alerts"
            rows={form.matchers}
            faults={shown}
            names={["severity", "rule_name", "alert_type", "framework_id", "rule_id"]}
            hint="Alerts that fit all of them. Beside its labels an alert has severity, rule_name, alert_type, framework_id and rule_id."
            onChange={(matchers) => change({ matchers })}
          />
          <div className={styles["row"]}>
            <TextField
              label="From"
              type="datetime-local"
              hint="Now, where it is empty."
              value={form.from}
              error={faultOf(shown, "starts_at")}
              onChange={(event) => change({ from: event.target.value })}
            />
            <LengthField
              label="For"
              value={form.length}
              hint={`Until ${moment(body.ends_at)}.`}
              error={faultOf(shown, "ends_at")}
              onChange={(length) => change({ length })}
            />
          </div>
          <div className={styles["buttons"]}>
            {QUICK.map(({ label, length }) => (
              <Button key={label} size="small" onClick={() => change({ length })}>
                {label}
              </Button>
            ))}
          </div>
          <Select
            label="How often"
            value={form.recurrence}
            hint={form.recurrence === "" ? undefined : `By the clock of ${form.timezone}, until somebody ends it.`}
            error={faultOf(shown, "rrule") ?? faultOf(shown, "timezone")}
            options={RECURRENCES.map(({ value, label }) => ({ value, label }))}
            onChange={(recurrence) => change({ recurrence })}
          />
          <TextArea
            label="Why"
            placeholder="Deployment of the shop, Ann"
            maxLength={4000}
            value={form.comment}
            error={faultOf(shown, "comment")}
            onChange={(event) => change({ comment: event.target.value })}
          />
          <Faulty error={error} faults={shown} fields={[...FIELDS, "rrule"]} />
          <div className={styles["buttons"]}>
            <Guarded needs="responder" type="submit" kind="primary" busy={busy}>
              Silence them
            </Guarded>
          </div>
        </form>
        <section className={own["side"]} aria-label="What it would silence">
          <h2>What it would silence</h2>
          <Preview matchers={body.matchers} />
        </section>
      </div>
    </Page>
  );
}

/** The alerts that are open now and would be silenced, asked for once one pauses typing. */
function Preview({ matchers }: { matchers: readonly Matcher[] }) {
  const api = useApi();
  const spelled = usePaused(JSON.stringify(matchers.filter(({ name }) => name !== "")));
  const asked = JSON.parse(spelled) as Matcher[];
  const { data, error } = useQuery({
    queryKey: ["alerts", "silenced by", spelled],
    enabled: asked.length > 0,
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
    queryFn: () => answered(api.POST("/api/v1/silences/preview", { body: { matchers: asked } })),
  });
  if (asked.length === 0) return <p className={own["none"]}>Name a label to see which alerts it fits.</p>;
  if (error) return <Problem error={error} />;
  if (data === undefined) return <p className={own["none"]}>Looking for the alerts that it fits…</p>;
  return (
    <div className={styles["rows"]} aria-live="polite">
      <p>
        {data.open === 0
          ? "No open alert fits now"
          : `${data.open} open ${data.open === 1 ? "alert fits" : "alerts fit"}`}
        {data.cut ? ", perhaps more" : ""}; {data.last_day} fired within the last day.
      </p>
      <ul className={styles["rows"]}>
        {data.alerts.slice(0, 10).map((alert) => (
          <li key={alert.id} className={styles["buttons"]}>
            <SeverityBadge severity={alert.severity} />
            <Link to="/alerts/$id" params={{ id: alert.id }}>
              {alert.title}
            </Link>
          </li>
        ))}
      </ul>
      {data.open > 10 ? <p className={styles["hint"]}>and {data.open - 10} more</p> : null}
    </div>
  );
}
