import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import {
  buttonClass,
  type Column,
  DataTable,
  EmptyState,
  FormDialog,
  Page,
  Problem,
  Select,
  SeverityBadge,
  TextField,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded, useDenial } from "../../forms/Guarded";
import { Skeleton } from "../../forms/Skeleton";
import { Switch } from "../../forms/Switch";
import { useFilters } from "../../forms/useFilters";
import { answered } from "../../rest/answered";
import { useFrameworkName, useFrameworks, useRules, useStale } from "../../rest/nouns";
import type { Rule } from "../../rest/types";
import { useMe } from "../../session/SessionProvider";
import { useApi } from "../../session/useApi";
import { asSeen, ChangedMeanwhile } from "./asSeen";
import { decisionOf, type RuleDraft } from "./form";
import { sentence } from "./sentence";

/** All rules: what each does in a sentence, and whether it is on. */
export function RulesPage() {
  const { data: rules, error, refetch } = useRules();
  const { data: frameworks } = useFrameworks();
  const frameworkName = useFrameworkName();
  const [filters, setFilter] = useFilters(["framework", "type", "enabled", "q"]);
  const navigate = useNavigate();
  const { may } = useMe();

  const sought = filters.q.trim().toLowerCase();
  const shown = rules?.filter(
    (rule) =>
      (filters.framework === "" || rule.framework_id === filters.framework) &&
      (filters.type === "" || rule.alert_type === filters.type) &&
      (filters.enabled === "" || String(rule.enabled) === filters.enabled) &&
      (sought === "" || `${rule.name} ${rule.metric}`.toLowerCase().includes(sought)),
  );

  const columns: Column<Rule>[] = [
    {
      header: "Rule",
      accessorKey: "name",
      cell: ({ row: { original: rule } }) => (
        <div className={styles["stack"]}>
          <Link to="/rules/$id" params={{ id: rule.id }}>
            {rule.name}
          </Link>
          <span className={styles["hint"]}>{shortSentence(rule)}</span>
        </div>
      ),
    },
    {
      header: "Framework",
      accessorFn: ({ framework_id }) => frameworkName(framework_id),
      meta: { optional: true },
    },
    { header: "Type", accessorKey: "alert_type", meta: { optional: true, tight: true } },
    {
      header: "Severity",
      accessorFn: ({ severity }) => SEVERITIES.indexOf(severity),
      cell: ({ row: { original: rule } }) => <SeverityBadge severity={rule.severity} />,
      meta: { tight: true },
    },
    {
      header: "On",
      accessorKey: "enabled",
      cell: ({ row: { original: rule } }) => <Enabled rule={rule} />,
      meta: { tight: true },
    },
  ];

  return (
    <Page
      title="Rules"
      about="A rule decides on the observations of one metric."
      actions={
        may("editor") ? (
          <Link to="/rules/$id" params={{ id: "new" }} className={buttonClass("primary")}>
            New rule
          </Link>
        ) : (
          <Guarded needs="editor" kind="primary">
            New rule
          </Guarded>
        )
      }
    >
      <div className={styles["filters"]}>
        <TextField
          label="Search"
          type="search"
          placeholder="Name or metric"
          value={filters.q}
          onChange={(change) => setFilter("q", change.target.value)}
        />
        <Select
          label="Framework"
          value={filters.framework}
          options={[
            { value: "", label: "All" },
            ...(frameworks ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(value) => setFilter("framework", value)}
        />
        <Select label="Type" value={filters.type} options={TYPES} onChange={(value) => setFilter("type", value)} />
        <Select
          label="State"
          value={filters.enabled}
          options={[
            { value: "", label: "All" },
            { value: "true", label: "On" },
            { value: "false", label: "Off" },
          ]}
          onChange={(value) => setFilter("enabled", value)}
        />
      </div>
      {error && rules === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : rules === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label="Rules"
          rows={shown}
          columns={columns}
          rowKey={({ id }) => id}
          onOpen={({ id }) => void navigate({ to: "/rules/$id", params: { id } })}
          empty={
            rules.length > 0 ? (
              <EmptyState title="No rule is like that">
                Take a filter away to see the {rules.length} that there are.
              </EmptyState>
            ) : (
              <EmptyState title="There are no rules yet">
                Send observations to <code>POST /api/v1/observations</code>, then make a rule that decides on them.
                Alerts of other tools need none.
              </EmptyState>
            )
          }
        />
      )}
    </Page>
  );
}

const SEVERITIES = ["info", "warning", "error", "critical"];
const TYPES = [
  { value: "", label: "All" },
  { value: "threshold", label: "Threshold" },
  { value: "performance", label: "Performance" },
  { value: "milestone", label: "Milestone" },
];

function shortSentence(rule: Rule): string {
  return (
    sentence({ ...decisionOf(rule as RuleDraft), severity: rule.severity, suppression_seconds: 0 }).split(". ")[0] ?? ""
  );
}

/** The rule's switch, of the rule as it is listed; taking it off asks first, since that ends its alerts. */
function Enabled({ rule }: { rule: Rule }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const denied = useDenial()("editor");
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const set = async (enabled: boolean) => {
    setBusy(true);
    const path = { rule_id: rule.id };
    try {
      await asSeen(
        rule,
        () => answered(api.GET("/api/v1/rules/{rule_id}", { params: { path } })),
        (header) => answered(api.PATCH("/api/v1/rules/{rule_id}", { params: { path, header }, body: { enabled } })),
      );
      await stale("rules");
      say(`${rule.name} is ${enabled ? "on" : "off"}.`);
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error;
      await stale("rules");
      const { enabled: on } = error.now;
      throw new Error(`${error.message} It is ${on ? "on" : "off"}. Look at it, or switch it as it is now.`);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <Switch
        label={`${rule.name} is on`}
        checked={rule.enabled}
        busy={busy}
        denied={denied}
        onChange={(on) => {
          if (!on) setAsking(true);
          else set(true).catch((failure: Error) => say(failure.message, "problem"));
        }}
      />
      <FormDialog
        open={asking}
        onClose={() => setAsking(false)}
        title={`Turn ${rule.name} off?`}
        description="Its open alerts are resolved, and nothing fires until it is on again."
        submit="Turn off"
        danger
        onSubmit={() => set(false)}
      />
    </>
  );
}
