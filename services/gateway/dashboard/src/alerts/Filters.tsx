import type { RefObject } from "react";
import { useEffect, useState } from "react";
import { classes, Select } from "../design";
import { type ListSearch, SEVERITIES, type Sort, STATUSES, type StatusChoice, TYPES } from "../live/filter";
import { useCounts } from "../live/LiveProvider";
import { useFrameworks } from "../rest/nouns";
import styles from "./Filters.module.css";

const NAMES: Record<StatusChoice, string> = {
  open: "Open",
  firing: "Firing",
  acknowledged: "Acknowledged",
  resolved: "Resolved",
  all: "All",
};
const ORDERS: readonly { value: Sort; label: string }[] = [
  { value: "newest", label: "Newest first" },
  { value: "activity", label: "Latest activity" },
  { value: "severity", label: "Severity" },
  { value: "value", label: "Highest value" },
];
const TYPING = 120;

export interface FiltersProps {
  search: ListSearch;
  onChange: (part: { [name in keyof ListSearch]: ListSearch[name] | undefined }) => void;
  searchBox: RefObject<HTMLInputElement | null>;
  /** Escape or Enter in the search: on to the list. */
  onLeave: () => void;
}

/** Which alerts are shown, and in which order; the address has all of it. */
export function Filters({ search, onChange, searchBox, onLeave }: FiltersProps) {
  const counts = useCounts();
  const { data: frameworks } = useFrameworks();
  const severities = search.severity ? search.severity.split(",") : [];
  const [text, setText] = useState(search.q ?? "");
  useEffect(() => setText(search.q ?? ""), [search.q]);
  useEffect(() => {
    if (text === (search.q ?? "")) return;
    const timer = setTimeout(() => onChange({ q: text || undefined }), TYPING);
    return () => clearTimeout(timer);
  }, [text, search.q, onChange]);

  return (
    <div className={styles["filters"]}>
      <div className={styles["line"]}>
        <fieldset className={styles["segments"]}>
          <legend className="visually-hidden">Status</legend>
          {STATUSES.map((status) => (
            <label key={status} className={styles["segment"]}>
              <input
                type="radio"
                name="status"
                value={status}
                checked={(search.status ?? "open") === status}
                onChange={() => onChange({ status })}
              />
              <span>{NAMES[status]}</span>
            </label>
          ))}
        </fieldset>
        <fieldset className={styles["severities"]}>
          <legend className="visually-hidden">Severity; the number of open ones</legend>
          {SEVERITIES.map((severity) => {
            const chosen = severities.includes(severity);
            return (
              <button
                key={severity}
                type="button"
                aria-pressed={chosen}
                className={classes(styles["severity"], styles[severity], counts[severity] === 0 && styles["none"])}
                onClick={() => {
                  const next = chosen ? severities.filter((one) => one !== severity) : [...severities, severity];
                  onChange({ severity: next.join(",") || undefined });
                }}
              >
                <span className={styles["mark"]} aria-hidden="true" />
                <strong>{counts[severity].toLocaleString()}</strong> {severity}
              </button>
            );
          })}
        </fieldset>
      </div>
      <div className={styles["line"]}>
        <input
          ref={searchBox}
          type="search"
          className={styles["search"]}
          aria-label="Search title, rule, labels"
          placeholder="Search title, rule, labels   /"
          maxLength={200}
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(change) => setText(change.target.value)}
          onKeyDown={(press) => {
            if (press.key === "Enter" || press.key === "Escape") {
              press.preventDefault();
              if (press.key === "Escape" && text) setText("");
              else {
                press.currentTarget.blur();
                onLeave();
              }
            }
          }}
        />
        <Select
          label="Framework"
          labelHidden
          className={styles["choice"]}
          value={search.framework ?? ""}
          options={[
            { value: "", label: "All frameworks" },
            ...(frameworks ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(framework) => onChange({ framework: framework || undefined })}
        />
        <Select
          label="Type"
          labelHidden
          className={styles["choice"]}
          value={search.type ?? ""}
          options={[{ value: "", label: "All types" }, ...TYPES.map((type) => ({ value: type, label: type }))]}
          onChange={(type) => onChange({ type: type || undefined })}
        />
        <Select
          label="Order"
          labelHidden
          className={styles["choice"]}
          value={search.sort ?? "newest"}
          options={ORDERS}
          onChange={(sort) => onChange({ sort })}
        />
      </div>
    </div>
  );
}
