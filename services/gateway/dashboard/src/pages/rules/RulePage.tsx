import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useBlocker, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { Button, buttonClass, Dialog, FormDialog, Page, Problem, TimeAgo, useToast } from "../../design";
import { Faulty } from "../../forms/Faulty";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { Skeleton } from "../../forms/Skeleton";
import { useSubmission } from "../../forms/useSubmission";
import { answered } from "../../rest/answered";
import { useFrameworkName, useFrameworks, useStale } from "../../rest/nouns";
import type { Rule } from "../../rest/types";
import { useApi } from "../../session/useApi";
import { asSeen, ChangedMeanwhile } from "./asSeen";
import {
  changedMeanwhile,
  changesOf,
  decisionOf,
  draftOf,
  emptyForm,
  type RuleForm as Form,
  formOf,
  type RuleDraft,
} from "./form";
import { Preview } from "./Preview";
import { FIELDS, RuleForm } from "./RuleForm";
import own from "./rules.module.css";
import { raisedOf, sentence } from "./sentence";

/** One rule to look at and change; `/rules/new` makes one, from another's values with `?from=ID`. */
export function RulePage() {
  const { id = "new" } = useParams({ strict: false });
  const search = useSearch({ strict: false }) as Record<string, unknown>;
  const source = id === "new" ? text(search["from"]) : id;
  const { data: frameworks, error: unlisted } = useFrameworks();
  const found = useRule(source);

  const error = found.error ?? unlisted;
  if (error && (source !== "" ? found.data === undefined : frameworks === undefined)) {
    return (
      <Page title="Rule" back={<Link to="/rules">Rules</Link>}>
        <Problem error={error} retry={() => void found.refetch()} />
      </Page>
    );
  }
  if (frameworks === undefined || (source !== "" && found.data === undefined)) {
    return (
      <Page title="Rule" back={<Link to="/rules">Rules</Link>}>
        <Skeleton />
      </Page>
    );
  }
  const only = frameworks.length === 1 ? (frameworks[0]?.id ?? "") : "";
  const copied = found.data && { ...formOf(draftFrom(found.data)), name: `${found.data.name} (copy)`, enabled: false };
  const start = id === "new" ? (copied ?? emptyForm(text(search["framework"]) || only)) : null;
  return <Editor key={`${id} ${source}`} rule={id === "new" ? undefined : found.data} start={start} />;
}

/** A number stays with its unit. */
const unbroken = (words: string): string => words.replace(/(\d) (?=\S)/g, "$1\u00a0");

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function useRule(id: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["rules", id],
    enabled: id !== "",
    queryFn: () => answered(api.GET("/api/v1/rules/{rule_id}", { params: { path: { rule_id: id } } })),
  });
}

/** Types of rules that are not decided here cannot be had, so that no rule is of one. */
const draftFrom = (rule: Rule): RuleDraft => rule as RuleDraft;

function Editor({ rule, start }: { rule: Rule | undefined; start: Form | null }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const frameworkName = useFrameworkName();
  // The rule as it was when the form was filled with it; what is fetched later does not change what one has edited.
  const [opened, setOpened] = useState(rule);
  const [form, setForm] = useState<Form>(() => start ?? formOf(draftFrom(rule as Rule)));
  const [filled, setFilled] = useState(form);
  const [conflict, setConflict] = useState<{ now: Rule; fields: string[] } | null>(null);
  // The rule as whoever deletes it has seen it.
  const [doomed, setDoomed] = useState<Rule | null>(null);

  const { draft, faults } = useMemo(() => draftOf(form), [form]);
  const { element, busy, error, shown, send, onSubmit, changed, refilled } = useSubmission(faults);
  const decision = useMemo(() => decisionOf(draft), [draft]);
  const dirty = form !== filled;
  const leaving = useRef(false);
  useBlocker({
    shouldBlockFn: () => dirty && !leaving.current && !window.confirm("Leave without saving what you changed?"),
    enableBeforeUnload: () => dirty && !leaving.current,
  });

  const change = (part: Partial<Form>) => {
    setForm((before) => ({ ...before, ...part }));
    changed();
  };
  const fill = (now: Rule) => {
    const next = formOf(draftFrom(now));
    setOpened(now);
    setForm(next);
    setFilled(next);
    refilled();
  };

  const newer = rule !== undefined && opened !== undefined && rule.version > opened.version;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a form that nobody has touched shows what others made of it
  useEffect(() => {
    if (newer && !dirty) fill(rule);
  }, [newer, dirty]);

  const read = (path: { rule_id: string }) => () => answered(api.GET("/api/v1/rules/{rule_id}", { params: { path } }));

  /** Sends what was changed to the rule as it was seen; where somebody else has changed it since, asks first. */
  const save = async (seen: Rule | undefined) => {
    if (opened === undefined || seen === undefined) {
      const made = await answered(api.POST("/api/v1/rules", { body: draft }));
      leaving.current = true;
      say(`${made.name} is made${made.enabled ? "" : ", and off"}.`);
      await stale("rules");
      await navigate({ to: "/rules" });
      return;
    }
    const path = { rule_id: opened.id };
    const body = changesOf(draftFrom(opened), draft);
    try {
      const saved = await asSeen(seen, read(path), (header) =>
        answered(api.PATCH("/api/v1/rules/{rule_id}", { params: { path, header }, body })),
      );
      queries.setQueryData(["rules", saved.id], saved);
      await stale("rules");
      fill(saved);
      say(`${saved.name} is saved.`);
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error;
      setConflict({ now: error.now, fields: changedMeanwhile(draftFrom(opened), draftFrom(error.now)) });
    }
  };

  /** Deletes the rule as it was seen; where somebody else has changed it since, a second press deletes theirs. */
  const remove = async (seen: Rule) => {
    const path = { rule_id: seen.id };
    try {
      await asSeen(seen, read(path), (header) =>
        answered(api.DELETE("/api/v1/rules/{rule_id}", { params: { path, header } })),
      );
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error;
      setDoomed(error.now);
      if (!dirty) fill(error.now);
      throw new Error(`${error.message} It is not deleted. Look at it, or delete it as it is now.`);
    }
    leaving.current = true;
    await navigate({ to: "/rules" });
    queries.removeQueries({ queryKey: ["rules", seen.id] });
    await stale("rules");
    say(`${seen.name} is deleted.`);
  };

  return (
    <Page
      title={opened?.name ?? "New rule"}
      back={<Link to="/rules">Rules</Link>}
      about={
        opened === undefined ? undefined : (
          <>
            {frameworkName(opened.framework_id)}, {opened.enabled ? "on" : "off"}, changed{" "}
            <TimeAgo time={opened.updated_at} suffix=" ago" />
          </>
        )
      }
      actions={
        opened === undefined ? null : (
          <>
            <Link
              to="/rules/$id"
              params={{ id: "new" }}
              search={{ from: opened.id } as never}
              className={buttonClass()}
            >
              Duplicate
            </Link>
            <Guarded needs="editor" onClick={() => setDoomed(opened)}>
              Delete…
            </Guarded>
          </>
        )
      }
    >
      <div className={own["split"]}>
        <form ref={element} className={styles["form"]} onSubmit={onSubmit(() => save(opened))} noValidate>
          <RuleForm form={form} onChange={change} faults={shown} exists={opened !== undefined} />
          {opened === undefined ? (
            <label className={styles["buttons"]}>
              <input
                type="checkbox"
                checked={form.enabled}
                onChange={(event) => change({ enabled: event.target.checked })}
              />
              On from the start
            </label>
          ) : null}
          <Faulty error={error} faults={shown} fields={FIELDS} />
          <div className={styles["buttons"]}>
            <Guarded needs="editor" type="submit" kind="primary" busy={busy}>
              {opened === undefined ? "Make the rule" : "Save"}
            </Guarded>
            {dirty && opened !== undefined ? <Button onClick={() => fill(opened)}>Undo changes</Button> : null}
          </div>
        </form>
        <section className={own["side"]} aria-label="What it does">
          <p className={styles["said"]}>
            {unbroken(
              sentence({ ...decision, severity: draft.severity, suppression_seconds: draft.suppression_seconds }),
            )}
          </p>
          {opened?.raised ? <p className={styles["hint"]}>{raisedOf(opened)}</p> : null}
          <Preview
            framework_id={draft.framework_id}
            decision={decision}
            draft={draft}
            onLimit={(limit) => change({ limit: String(limit) })}
          />
        </section>
      </div>
      <Dialog
        open={conflict !== null}
        onClose={() => setConflict(null)}
        title="Somebody changed this rule meanwhile"
        description={`Other than when you opened it: ${conflict?.fields.join(", ")}. What you did not touch stays as they left it.`}
        actions={
          <>
            <Button
              onClick={() => {
                if (conflict) fill(conflict.now);
                setConflict(null);
              }}
            >
              Take theirs
            </Button>
            <Button
              kind="primary"
              onClick={() => {
                setConflict(null);
                void send(() => save(conflict?.now));
              }}
            >
              Save mine over it
            </Button>
          </>
        }
      />
      <FormDialog
        open={doomed !== null}
        onClose={() => setDoomed(null)}
        title={`Delete ${doomed?.name ?? opened?.name}?`}
        description="Its open alerts are resolved. Alerts of the past stay."
        submit="Delete"
        danger
        onSubmit={async () => doomed && (await remove(doomed))}
      />
    </Page>
  );
}
