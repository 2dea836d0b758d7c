import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Badge, EmptyState, FormDialog, Problem, Section, TimeAgo, useToast } from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { More } from "../../forms/More";
import { Skeleton } from "../../forms/Skeleton";
import { answered, from } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Pattern, PatternPreview } from "../../rest/types";
import { usePaged } from "../../rest/usePaged";
import { useApi } from "../../session/useApi";
import { Bars } from "./Bars";
import { barsOf, basisOf, changeOf, KINDS, previewOf, saidOf } from "./pattern";

/** Insights: what repeats itself in the alerts of the past. */
export function Patterns() {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const [applying, setApplying] = useState<{ pattern: Pattern; preview: PatternPreview } | null>(null);
  const list = usePaged<Pattern>(
    ["patterns"],
    (cursor) => answered(api.GET("/api/v1/analytics/patterns", { params: { query: { limit: 50, ...from(cursor) } } })),
    { every: 60_000 },
  );
  const path = ({ id }: Pattern) => ({ params: { path: { pattern_id: id } } });
  const preview = async (pattern: Pattern) => {
    try {
      const found = await answered(api.GET("/api/v1/analytics/patterns/{pattern_id}/preview", path(pattern)));
      setApplying({ pattern, preview: found });
    } catch (error) {
      say(error instanceof Error ? error.message : "It could not be previewed", "problem");
    }
  };
  const dismiss = async (pattern: Pattern) => {
    try {
      await answered(api.POST("/api/v1/analytics/patterns/{pattern_id}/dismiss", path(pattern)));
      say("Dismissed: it is not proposed again");
    } catch (error) {
      say(error instanceof Error ? error.message : "It could not be dismissed", "problem");
    }
    await stale("patterns");
  };
  const { rows } = list;
  if (list.error && rows === undefined) return <Problem error={list.error} retry={() => void list.refetch()} />;
  if (rows === undefined) return <Skeleton />;
  if (rows.length === 0)
    return (
      <EmptyState title="No pattern is known">
        Every six hours the last eight weeks of alerts are gone through. A pattern takes some dozen alerts.
      </EmptyState>
    );
  return (
    <>
      {rows.map((pattern) => (
        <Section
          key={pattern.id}
          title={`${KINDS[pattern.kind]}: ${pattern.rule_name}`}
          actions={
            <span className={styles["buttons"]}>
              <Guarded needs="responder" size="small" onClick={() => void dismiss(pattern)}>
                Dismiss
              </Guarded>
              {changeOf(pattern.recommendation.change) === "" ? null : (
                <Guarded needs="editor" size="small" kind="primary" onClick={() => void preview(pattern)}>
                  Preview and apply…
                </Guarded>
              )}
            </span>
          }
        >
          <div className={styles["stack"]}>
            <p>{saidOf(pattern)}</p>
            <Bars {...barsOf(pattern)} />
            <p>
              <strong>{pattern.recommendation.action}</strong> {changeOf(pattern.recommendation.change)}
            </p>
            <p className={styles["hint"]}>
              <Badge tone={pattern.confidence >= 80 ? "good" : "neutral"}>{pattern.confidence} % sure</Badge>{" "}
              {pattern.occurrences} alerts, found <TimeAgo time={pattern.last_found_at} suffix=" ago" />
              {pattern.rule_id ? (
                <>
                  {", "}
                  <Link to="/rules/$id" params={{ id: pattern.rule_id } as never}>
                    the rule
                  </Link>
                </>
              ) : null}
            </p>
          </div>
        </Section>
      ))}
      <More list={list} />
      <FormDialog
        open={applying !== null}
        onClose={() => setApplying(null)}
        title={`Change ${applying?.pattern.rule_name ?? ""}`}
        description={applying ? changeOf(applying.preview.change) : ""}
        submit="Apply"
        onSubmit={async () => {
          if (applying === null) return;
          await answered(api.POST("/api/v1/analytics/patterns/{pattern_id}/apply", path(applying.pattern)));
          say("The rule is changed");
          await stale("patterns", "rules");
        }}
      >
        {applying ? (
          <div className={styles["stack"]}>
            <p>{previewOf(applying.preview)}</p>
            <p className={styles["hint"]}>{basisOf(applying.preview)}</p>
          </div>
        ) : null}
      </FormDialog>
    </>
  );
}
