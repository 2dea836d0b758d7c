import type { Alert } from "@convex-alerts/client";
import { Link } from "@tanstack/react-router";
import { memo } from "react";
import { Button, classes, SeverityBadge, TimeAgo } from "../design";
import { soon } from "../design/time";
import { type Action, isPossible } from "../live/deeds";
import { number } from "../live/words";
import styles from "./AlertRow.module.css";

export interface AlertRowProps {
  alert: Alert;
  top: number;
  height: number;
  position: number;
  total: number;
  framework: string;
  selected: boolean;
  current: boolean;
  fresh: boolean;
  mayAct: boolean;
  onCursor: (id: string) => void;
  onPick: (id: string, range: boolean) => void;
  onAct: (action: Action, id: string) => void;
}

const LABELS = 4;

/** One alert in the list. What is in it is drawn again only where that is another; a new place only moves it. */
export const AlertRow = memo(function AlertRow(props: AlertRowProps) {
  const { alert, top, height, position, total, selected, current, fresh, onCursor } = props;
  const { id } = alert;
  return (
    <li
      className={classes(styles["row"], styles[alert.severity], fresh && styles["fresh"])}
      style={{ transform: `translateY(${top}px)`, height }}
      aria-posinset={position}
      aria-setsize={total}
      data-id={id}
      data-status={alert.status}
      data-severity={alert.severity}
      data-selected={selected || undefined}
      data-current={current || undefined}
      onFocus={() => onCursor(id)}
    >
      <Content
        alert={alert}
        framework={props.framework}
        selected={selected}
        mayAct={props.mayAct}
        onPick={props.onPick}
        onAct={props.onAct}
      />
    </li>
  );
});

type ContentProps = Pick<AlertRowProps, "alert" | "framework" | "selected" | "mayAct" | "onPick" | "onAct">;

const Content = memo(function Content({ alert, framework, selected, mayAct, onPick, onAct }: ContentProps) {
  const { id, title } = alert;
  const labels = Object.entries(alert.labels).slice(0, LABELS);
  return (
    <>
      <span className={styles["pick"]}>
        <input
          type="checkbox"
          aria-label={`Select ${title}`}
          checked={selected}
          onClick={(click) => onPick(id, click.shiftKey)}
          onChange={() => undefined}
        />
      </span>
      <span className={styles["badge"]}>
        <SeverityBadge severity={alert.severity} />
      </span>
      <span className={styles["what"]}>
        <Link to="/alerts/$id" params={{ id }} className={styles["title"]} preload={false}>
          {title}
        </Link>
        <span className={styles["where"]}>
          {framework}
          {alert.rule_name && alert.rule_name !== title ? ` · ${alert.rule_name}` : ""}
          {labels.map(([name, value]) => (
            <span key={name} className={styles["label"]}>
              {name}={value}
            </span>
          ))}
        </span>
      </span>
      <span className={styles["value"]}>
        <strong>{number(alert.current_value)}</strong>
        {alert.threshold_value === null ? null : (
          <span className={styles["muted"]}>
            <span className="visually-hidden">threshold </span>
            <span aria-hidden="true">/ </span>
            {number(alert.threshold_value)}
          </span>
        )}
      </span>
      <span className={styles["state"]}>
        <span className={styles["status"]}>{alert.snoozed_until ? "snoozed" : alert.status}</span>
        <span className={styles["muted"]}>{who(alert)}</span>
      </span>
      <span className={styles["times"]}>
        <TimeAgo time={alert.triggered_at} />
        <span className={styles["muted"]} title={`${alert.occurrences} occurrences`}>
          ×{alert.occurrences.toLocaleString()}
        </span>
      </span>
      {mayAct ? (
        <span className={styles["actions"]}>
          {isPossible("acknowledge", alert) ? (
            <Button size="small" aria-label={`Acknowledge ${title}`} onClick={() => onAct("acknowledge", id)}>
              Acknowledge
            </Button>
          ) : null}
          {isPossible("resolve", alert) ? (
            <Button size="small" aria-label={`Resolve ${title}`} onClick={() => onAct("resolve", id)}>
              Resolve
            </Button>
          ) : null}
        </span>
      ) : null}
    </>
  );
});

function who(alert: Alert): string {
  if (alert.snoozed_until) return `until ${soon(alert.snoozed_until)}`;
  if (alert.assigned_to && alert.status !== "resolved") return `for ${alert.assigned_to}`;
  if (alert.status === "acknowledged") return `by ${alert.acknowledged_by ?? "somebody"}`;
  if (alert.status === "resolved") return alert.resolved_by ? `by ${alert.resolved_by}` : "by itself";
  return "";
}
