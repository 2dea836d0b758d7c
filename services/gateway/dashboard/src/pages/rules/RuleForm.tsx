import { Checkbox, Field, Select, TextField } from "../../design";
import styles from "../../forms/forms.module.css";
import { LabelsField } from "../../forms/LabelsField";
import { LengthField } from "../../forms/LengthField";
import { type Faults, faultOf } from "../../forms/problems";
import { useChannels, useFrameworks } from "../../rest/nouns";
import { type AlertType, CHANGEABLE, type RuleForm as Form, learns, ofType, type Severity } from "./form";
import type { Aggregation, Condition } from "./sentence";
import { useMetrics } from "./usePreview";

/** The fields that the form shows; what else is refused is told at its end. */
export const FIELDS: readonly string[] = ["framework_id", ...CHANGEABLE.filter((name) => name !== "enabled")];

const TYPES: Record<AlertType, string> = {
  threshold: "A value that should stay within a limit.",
  performance: "How fast, or how well, something works.",
  milestone: "A goal that is reached.",
  anomaly: "What is unusual for the series at this hour; its rhythm is learnt.",
  forecast: "A limit that will be passed within a time.",
};

const CONDITIONS: readonly { value: Condition; label: string }[] = [
  { value: "above", label: "is above" },
  { value: "below", label: "is below" },
  { value: "equals", label: "is exactly" },
  { value: "changes_by", label: "changes by, in percent" },
];

const OF_ANOMALY: readonly { value: Condition; label: string }[] = [
  { value: "changes_by", label: "is unusual, on either side" },
  { value: "above", label: "is unusually high" },
  { value: "below", label: "is unusually low" },
];

const OF_FORECAST: readonly { value: Condition; label: string }[] = [
  { value: "above", label: "will be above" },
  { value: "below", label: "will be below" },
];

const COMPARED: readonly { value: "value" | Aggregation; label: string }[] = [
  { value: "value", label: "each single value" },
  { value: "avg", label: "the average of a window" },
  { value: "min", label: "the lowest of a window" },
  { value: "max", label: "the highest of a window" },
  { value: "sum", label: "the sum of a window" },
  { value: "count", label: "the number of values in a window" },
  { value: "last", label: "the last value of a window" },
];

const CHANGED: readonly { value: "value" | "avg"; label: string }[] = [
  { value: "value", label: "from one value to the next" },
  { value: "avg", label: "within a window" },
];

const SEVERITIES: readonly { value: Severity; label: string }[] = [
  { value: "info", label: "info" },
  { value: "warning", label: "warning" },
  { value: "error", label: "error" },
  { value: "critical", label: "critical" },
];

export interface RuleFormProps {
  form: Form;
  onChange: (part: Partial<Form>) => void;
  faults: Faults;
  /** A rule that exists stays in its framework. */
  exists: boolean;
}

/** The fields of a rule: what it looks at, when it fires, and what becomes of it. */
export function RuleForm({ form, onChange, faults, exists }: RuleFormProps) {
  const { data: frameworks } = useFrameworks();
  const metrics = useMetrics(form.framework_id);
  const anomaly = form.alert_type === "anomaly";
  const forecast = form.alert_type === "forecast";
  const relative = !anomaly && form.condition === "changes_by";
  const fault = (field: string) => faultOf(faults, field);
  const compared = form.windowed ? (relative ? "avg" : form.aggregation) : "value";

  return (
    <>
      <fieldset className={styles["group"]}>
        <legend className={styles["legend"]}>What it looks at</legend>
        <TextField
          label="Name"
          placeholder="Checkout is slow"
          maxLength={200}
          value={form.name}
          error={fault("name")}
          onChange={(change) => onChange({ name: change.target.value })}
        />
        <div className={styles["row"]}>
          <Select
            label="Framework"
            value={form.framework_id}
            disabled={exists}
            hint={exists ? "A rule stays in its framework; duplicate it to have it in another." : undefined}
            error={fault("framework_id")}
            options={[
              { value: "", label: "Choose…" },
              ...(frameworks ?? []).map(({ id, name }) => ({ value: id, label: name })),
            ]}
            onChange={(framework_id) => onChange({ framework_id })}
          />
          <Select
            label="Type"
            value={form.alert_type}
            hint={TYPES[form.alert_type]}
            error={fault("alert_type")}
            options={[
              { value: "threshold", label: "Threshold" },
              { value: "performance", label: "Performance" },
              { value: "milestone", label: "Milestone" },
              { value: "anomaly", label: "Anomaly" },
              { value: "forecast", label: "Forecast" },
            ]}
            onChange={(alert_type) => onChange(ofType(alert_type as AlertType, form.condition))}
          />
        </div>
        <Field label="Metric" error={fault("metric")} hint="As it is sent with the observations.">
          {(control) => (
            <>
              <input
                {...control}
                className={styles["control"]}
                list={`${control.id}-metrics`}
                autoComplete="off"
                spellCheck={false}
                maxLength={200}
                placeholder="checkout_ms"
                value={form.metric}
                onChange={(change) => onChange({ metric: change.target.value })}
              />
              <datalist id={`${control.id}-metrics`}>
                {metrics.data?.map(({ metric }) => (
                  <option key={metric} value={metric} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      </fieldset>

      <fieldset className={styles["group"]}>
        <legend className={styles["legend"]}>When it fires</legend>
        <div className={styles["row"]}>
          <Select
            label="Condition"
            value={form.condition}
            error={fault("condition")}
            options={anomaly ? OF_ANOMALY : forecast ? OF_FORECAST : CONDITIONS}
            onChange={(condition) => onChange({ condition })}
          />
          {anomaly && form.condition === "changes_by" ? null : (
            <TextField
              label={relative ? "Percent" : "Threshold"}
              inputMode="decimal"
              placeholder={anomaly ? "none" : relative ? "20" : "500"}
              hint={anomaly ? "Only what is beyond it counts." : undefined}
              value={form.limit}
              error={fault(relative ? "change_percentage" : "threshold_value")}
              onChange={(change) => onChange({ limit: change.target.value })}
            />
          )}
        </div>
        {anomaly ? (
          <TextField
            label="Sensitivity"
            inputMode="decimal"
            value={form.sensitivity}
            hint="From 0 to 1: the higher, the more is told. 0.5 is what a person wants to know."
            error={fault("sensitivity")}
            onChange={(change) => onChange({ sensitivity: change.target.value })}
          />
        ) : null}
        {anomaly ? (
          <Checkbox
            label="Heed verdicts"
            hint="Where people call its alerts false alarms, it needs more to tell of: slowly, within limits, and never as a critical rule."
            checked={form.heeds}
            onChange={(change) => onChange({ heeds: change.target.checked })}
          />
        ) : null}
        {forecast ? (
          <div className={styles["row"]}>
            <LengthField
              label="Within"
              value={form.horizon}
              error={fault("horizon_seconds")}
              onChange={(horizon) => onChange({ horizon })}
            />
            <TextField
              label="Probability, in percent"
              inputMode="decimal"
              value={form.probability}
              error={fault("probability")}
              onChange={(change) => onChange({ probability: change.target.value })}
            />
          </div>
        ) : null}
        {learns(form.alert_type) ? null : (
          <div className={styles["row"]}>
            <Select<string>
              label={relative ? "Change" : "What is compared"}
              value={compared}
              error={fault("aggregation")}
              options={relative ? CHANGED : COMPARED}
              onChange={(value) =>
                onChange(
                  value === "value" ? { windowed: false } : { windowed: true, aggregation: value as Aggregation },
                )
              }
            />
            {form.windowed ? (
              <LengthField
                label="Window"
                value={form.window}
                error={fault("window_seconds")}
                onChange={(window) => onChange({ window })}
              />
            ) : null}
          </div>
        )}
        <div className={styles["row"]}>
          {forecast ? null : (
            <LengthField
              label="Hold"
              value={form.hold}
              hint="How long it has to be so before it fires; 0 is at once."
              error={fault("for_seconds")}
              onChange={(hold) => onChange({ hold })}
            />
          )}
          {form.condition === "equals" || learns(form.alert_type) ? null : (
            <TextField
              label="Clear value"
              inputMode="decimal"
              placeholder={relative ? "as the percentage" : "as the threshold"}
              value={form.clear}
              hint="On the harmless side of the limit, so that it does not flap."
              error={fault("clear_value")}
              onChange={(change) => onChange({ clear: change.target.value })}
            />
          )}
        </div>
      </fieldset>

      <fieldset className={styles["group"]}>
        <legend className={styles["legend"]}>What becomes of it</legend>
        <div className={styles["row"]}>
          <Select
            label="Severity"
            value={form.severity}
            error={fault("severity")}
            options={SEVERITIES}
            onChange={(severity) => onChange({ severity })}
          />
          <LengthField
            label="Quiet time"
            value={form.quiet}
            hint="How long the same alert is not told again."
            error={fault("suppression_seconds")}
            onChange={(quiet) => onChange({ quiet })}
          />
        </div>
        <Channels form={form} onChange={onChange} error={fault("channel_ids")} />
      </fieldset>

      <LabelsField
        legend="Labels"
        pairs={form.labels}
        hint="Added to those of the series. Channels and silences go by them."
        error={fault("labels")}
        onChange={(labels) => onChange({ labels })}
      />
    </>
  );
}

/** Who is told: by matchers, or these channels. */
function Channels({ form, onChange, error }: Pick<RuleFormProps, "form" | "onChange"> & { error: string | undefined }) {
  const { data: channels } = useChannels();
  const known = new Set(channels?.map(({ id }) => id));
  const gone = channels === undefined ? [] : form.channel_ids.filter((id) => !known.has(id));
  const toggle = (id: string, on: boolean) =>
    onChange({ channel_ids: on ? [...form.channel_ids, id] : form.channel_ids.filter((one) => one !== id) });
  return (
    <Field label="Channels" error={error}>
      {(control) => (
        <div className={styles["rows"]}>
          <select
            {...control}
            className={styles["control"]}
            value={form.chosen ? "chosen" : "matching"}
            onChange={(change) => onChange({ chosen: change.target.value === "chosen" })}
          >
            <option value="matching">Every channel whose matchers fit</option>
            <option value="chosen">These channels</option>
          </select>
          {form.chosen ? (
            <div className={styles["choices"]}>
              {channels?.length === 0 ? <p className={styles["hint"]}>There are none yet.</p> : null}
              {[
                ...(channels ?? []).map(({ id, name, enabled }) => ({ id, name: enabled ? name : `${name} (off)` })),
                ...gone.map((id) => ({ id, name: `${id} (deleted)` })),
              ].map(({ id, name }) => (
                <label key={id} className={styles["buttons"]}>
                  <input
                    type="checkbox"
                    checked={form.channel_ids.includes(id)}
                    onChange={(change) => toggle(id, change.target.checked)}
                  />
                  {name}
                </label>
              ))}
            </div>
          ) : null}
        </div>
      )}
    </Field>
  );
}
