import type { Alert } from "@convex-alerts/client";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useShortcuts } from "../app/useShortcuts";
import { Button, EmptyState, Loading, Page, Problem } from "../design";
import { type Action, isPossible } from "../live/deeds";
import { filterOf, isNarrow, type ListSearch, type Sort, searchOf } from "../live/filter";
import { useLive, useLoading } from "../live/LiveProvider";
import { useAct } from "../live/useAct";
import { useFrameworkName } from "../rest/nouns";
import { useMe } from "../session/SessionProvider";
import { AlertList, type ListHandle } from "./AlertList";
import styles from "./AlertsPage.module.css";
import { type Asking, DeedDialogs } from "./DeedDialogs";
import { Filters } from "./Filters";
import { useOlder } from "./useOlder";

const NONE: ReadonlySet<string> = new Set();
const BULK: readonly [Action, string][] = [
  ["acknowledge", "Acknowledge"],
  ["resolve", "Resolve…"],
  ["snooze", "Snooze…"],
  ["assign", "Assign…"],
];
const NOBODY: readonly Alert[] = [];

/** All alerts of the workspace, live: what is open unless one asks for more. */
export function AlertsPage() {
  const search = useSearch({ from: "/" });
  const navigate = useNavigate();
  const live = useLive();
  const loading = useLoading();
  const { may } = useMe();
  const act = useAct();
  const frameworkName = useFrameworkName();

  const change = useCallback(
    (part: { [name in keyof ListSearch]: ListSearch[name] | undefined }) => {
      void navigate({
        to: "/",
        replace: true,
        search: (before) => searchOf({ ...before, ...part }),
      });
    },
    [navigate],
  );
  const filter = useMemo(() => filterOf(search), [search]);
  const shownFilter = useDeferredValue(filter);
  const sort: Sort = search.sort ?? "newest";
  useEffect(() => {
    live.store.show(shownFilter, sort);
    live.store.flush();
  }, [live, shownFilter, sort]);
  const alerts = useSyncExternalStore(live.store.subscribe, live.store.list);
  const older = useOlder(live, shownFilter);

  const [selected, setSelected] = useState<ReadonlySet<string>>(NONE);
  const [cursor, setCursor] = useState<string | null>(null);
  const [asked, setAsked] = useState<{ action: Asking; ids: readonly string[] } | null>(null);
  const list = useRef<ListHandle>(null);
  const searchBox = useRef<HTMLInputElement>(null);
  const lastPicked = useRef<string | null>(null);

  // What is no longer in the list is no longer chosen: nobody resolves what they cannot see.
  const chosen = useMemo(
    () => (selected.size === 0 ? NOBODY : alerts.filter(({ id }) => selected.has(id))),
    [alerts, selected],
  );

  // Rows are given the same functions as long as they stand: otherwise each change would draw all of them again.
  const pick = useCallback(
    (id: string, range: boolean) => {
      const alerts = live.store.list();
      const from = range && lastPicked.current ? alerts.findIndex((one) => one.id === lastPicked.current) : -1;
      const to = alerts.findIndex((one) => one.id === id);
      lastPicked.current = id;
      setSelected((before) => {
        const next = new Set(before);
        if (from >= 0 && to >= 0) {
          for (const one of alerts.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one.id);
        } else if (!next.delete(id)) next.add(id);
        return next;
      });
    },
    [live],
  );

  const run = useCallback(
    (action: Action, ids: readonly string[]) => {
      if (ids.length === 0) return;
      if (action !== "acknowledge") return setAsked({ action, ids });
      setSelected(NONE);
      void act({ action }, ids);
    },
    [act],
  );
  const runOne = useCallback((action: Action, id: string) => run(action, [id]), [run]);

  const targets = (): string[] => (chosen.length > 0 ? chosen.map(({ id }) => id) : cursor === null ? [] : [cursor]);
  const doing = (action: Action) => () => may("responder") && run(action, targets());
  const move = (by: number) => list.current?.move(by);
  useShortcuts([
    { keys: "j", says: "Next alert", group: "Alerts", run: () => move(1) },
    { keys: "k", says: "Previous alert", group: "Alerts", run: () => move(-1) },
    { keys: "Enter", says: "Open the alert", group: "Alerts", run: () => open(cursor) },
    { keys: "x", says: "Select the alert", group: "Alerts", run: () => cursor && pick(cursor, false) },
    { keys: "X", says: "Select up to the alert", group: "Alerts", run: () => cursor && pick(cursor, true) },
    { keys: "a", says: "Acknowledge", group: "Alerts", run: doing("acknowledge") },
    { keys: "r", says: "Resolve", group: "Alerts", run: doing("resolve") },
    { keys: "s", says: "Snooze", group: "Alerts", run: doing("snooze") },
    { keys: "m", says: "Assign to a member", group: "Alerts", run: doing("assign") },
    { keys: "Escape", says: "Clear the selection", group: "Alerts", run: () => setSelected(NONE) },
    { keys: "/", says: "Search", group: "Alerts", run: () => searchBox.current?.focus() },
  ]);

  function open(id: string | null) {
    if (id !== null) void navigate({ to: "/alerts/$id", params: { id } });
  }

  const all = alerts.length > 0 && chosen.length === alerts.length;
  return (
    <Page title="Alerts" fills>
      <Filters search={search} onChange={change} searchBox={searchBox} onLeave={() => move(0)} />
      {loading.problem ? <Problem error={`The list is not complete: ${loading.problem}`} retry={live.retry} /> : null}
      <div className={styles["frame"]}>
        <div className={styles["head"]}>
          <label className={styles["all"]}>
            <input
              type="checkbox"
              checked={all}
              ref={(box) => {
                if (box) box.indeterminate = chosen.length > 0 && !all;
              }}
              disabled={alerts.length === 0}
              onChange={() => setSelected(all ? NONE : new Set(alerts.map(({ id }) => id)))}
            />
            <span className="visually-hidden">Select all</span>
          </label>
          {chosen.length > 0 ? (
            <div className={styles["chosen"]}>
              <strong>{chosen.length} selected</strong>
              {may("responder")
                ? BULK.map(([action, label]) => (
                    <Button
                      key={action}
                      size="small"
                      onClick={doing(action)}
                      disabled={!chosen.some((one) => isPossible(action, one))}
                    >
                      {label}
                    </Button>
                  ))
                : null}
              <Button size="small" kind="quiet" onClick={() => setSelected(NONE)}>
                Clear
              </Button>
            </div>
          ) : (
            <span className={styles["count"]}>
              {alerts.length.toLocaleString()} {alerts.length === 1 ? "alert" : "alerts"}
              {loading.complete ? "" : ", loading more…"}
            </span>
          )}
        </div>
        {alerts.length === 0 ? (
          loading.complete && !older.busy ? (
            <Nothing
              narrow={isNarrow(filter)}
              status={filter.status}
              onClear={() => change({ severity: undefined, framework: undefined, type: undefined, q: undefined })}
            />
          ) : loading.problem ? null : (
            <Loading />
          )
        ) : (
          <AlertList
            ref={list}
            alerts={alerts}
            selected={selected}
            cursor={cursor}
            mayAct={may("responder")}
            frameworkName={frameworkName}
            isFresh={(id) => live.isFresh(id)}
            onCursor={setCursor}
            onPick={pick}
            onAct={runOne}
            onEnd={older.more}
          />
        )}
      </div>
      <DeedDialogs
        alerts={(asked?.ids ?? []).flatMap((id) => live.store.get(id) ?? [])}
        asking={asked?.action ?? null}
        onClose={() => setAsked(null)}
        onDeed={(deed) => {
          setSelected(NONE);
          void act(deed, asked?.ids ?? []);
        }}
      />
    </Page>
  );
}

function Nothing({ narrow, status, onClear }: { narrow: boolean; status: string; onClear: () => void }) {
  if (narrow) {
    return (
      <EmptyState title="Nothing fits these filters" action={<Button onClick={onClear}>Clear the filters</Button>} />
    );
  }
  return (
    <EmptyState title={status === "open" ? "All clear" : "Nothing here"}>
      {status === "open" ? "Nothing is open. What begins to fire appears here by itself." : `No alert is ${status}.`}
    </EmptyState>
  );
}
