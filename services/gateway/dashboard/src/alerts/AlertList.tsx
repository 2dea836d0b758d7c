import type { Alert } from "@convex-alerts/client";
import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import {
  type Ref,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Action } from "../live/deeds";
import styles from "./AlertList.module.css";
import { AlertRow } from "./AlertRow";

export interface ListHandle {
  /** Moves the cursor by rows; from nowhere to the first one that is seen. */
  move: (by: number) => void;
}

export interface AlertListProps {
  ref: Ref<ListHandle>;
  alerts: readonly Alert[];
  selected: ReadonlySet<string>;
  cursor: string | null;
  mayAct: boolean;
  frameworkName: (id: string) => string;
  isFresh: (id: string) => boolean;
  onCursor: (id: string) => void;
  onPick: (id: string, range: boolean) => void;
  onAct: (action: Action, id: string) => void;
  /** The end of the list is seen. */
  onEnd: () => void;
}

const WIDE = 48;
const NARROW = 68;
const narrow = matchMedia("(max-width: 720px)");
const onNarrow = (listener: () => void) => {
  narrow.addEventListener("change", listener);
  return () => narrow.removeEventListener("change", listener);
};

/**
 * The list: as many rows in the page as are seen, whatever their number.
 *
 * Rows that come or go above do not move what one is looking at: the list scrolls along. Only who is at its top, with
 * neither pointer nor cursor in it, sees new ones push the others down.
 */
export function AlertList(props: AlertListProps) {
  const { alerts, selected, cursor, onCursor, onEnd } = props;
  const frame = useRef<HTMLDivElement>(null);
  const within = useRef(false);
  const [above, setAbove] = useState(0);
  const height = useSyncExternalStore(onNarrow, () => (narrow.matches ? NARROW : WIDE));
  const at = cursor === null ? -1 : alerts.findIndex(({ id }) => id === cursor);
  const rows = useVirtualizer({
    count: alerts.length,
    getScrollElement: () => frame.current,
    estimateSize: () => height,
    overscan: 12,
    // The row that has the focus stays in the page, or the focus would be lost.
    rangeExtractor: (range) => {
      const seen = defaultRangeExtractor(range);
      if (at < 0 || at >= alerts.length || seen.includes(at)) return seen;
      return [...seen, at].sort((a, b) => a - b);
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew where rows have another height
  useLayoutEffect(() => rows.measure(), [height]);

  // How far it is scrolled. The element knows too, but who asks it after a change has the page laid out at once.
  const offset = useRef(0);
  // What stays where it is while the list changes.
  const anchor = useRef<{ id: string; index: number } | null>(null);
  useLayoutEffect(() => {
    const element = frame.current;
    const kept = anchor.current;
    if (element === null) return;
    if (kept !== null && alerts[kept.index]?.id !== kept.id) {
      const index = alerts.findIndex(({ id }) => id === kept.id);
      const shift = index - kept.index;
      if (index >= 0 && shift !== 0) {
        element.scrollTop += shift * height;
        offset.current = element.scrollTop;
        if (shift > 0) setAbove((before) => before + shift);
      }
    }
  }, [alerts, height]);
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const first = Math.max(0, Math.min(alerts.length - 1, Math.ceil(offset.current / height)));
    const focused = at >= 0 && element.contains(document.activeElement) ? at : -1;
    const index = focused >= 0 ? focused : first;
    const holds = offset.current > 0 || within.current || focused >= 0;
    const id = alerts[index]?.id;
    anchor.current = holds && id !== undefined ? { id, index } : null;
  });

  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= alerts.length - 5) onEnd();
  }, [last, alerts.length, onEnd]);

  const focus = (index: number) => {
    const alert = alerts[index];
    if (alert === undefined) return;
    onCursor(alert.id);
    rows.scrollToIndex(index);
    // The row may have to be drawn first.
    requestAnimationFrame(() => {
      frame.current
        ?.querySelector<HTMLElement>(`[data-id="${CSS.escape(alert.id)}"] a`)
        ?.focus({ preventScroll: true });
    });
  };
  useImperativeHandle(props.ref, () => ({
    move: (by) => {
      const top = Math.ceil(offset.current / height);
      const from = at >= 0 ? at + by : top;
      focus(Math.max(0, Math.min(alerts.length - 1, from)));
    },
  }));

  return (
    <div className={styles["holder"]}>
      <div
        ref={frame}
        className={styles["list"]}
        onPointerEnter={() => {
          within.current = true;
        }}
        onPointerLeave={() => {
          within.current = false;
        }}
        onScroll={(scroll) => {
          offset.current = scroll.currentTarget.scrollTop;
          if (offset.current === 0) setAbove(0);
        }}
      >
        <ul
          aria-label="Alerts"
          className={styles["rows"]}
          style={{ height: rows.getTotalSize() }}
          onKeyDown={(press) => {
            const by = press.key === "ArrowDown" ? 1 : press.key === "ArrowUp" ? -1 : 0;
            if (by === 0) return;
            press.preventDefault();
            focus(Math.max(0, Math.min(alerts.length - 1, at + by)));
          }}
        >
          {items.map(({ index, start }) => {
            const alert = alerts[index];
            if (alert === undefined) return null;
            return (
              <AlertRow
                key={alert.id}
                alert={alert}
                top={start}
                height={height}
                position={index + 1}
                total={alerts.length}
                framework={props.frameworkName(alert.framework_id)}
                selected={selected.has(alert.id)}
                current={alert.id === cursor}
                fresh={props.isFresh(alert.id)}
                mayAct={props.mayAct}
                onCursor={onCursor}
                onPick={props.onPick}
                onAct={props.onAct}
              />
            );
          })}
        </ul>
      </div>
      {above > 0 ? (
        <button
          type="button"
          className={styles["above"]}
          onClick={() => {
            frame.current?.scrollTo({ top: 0 });
            setAbove(0);
          }}
        >
          ↑ {above} new above
        </button>
      ) : null}
    </div>
  );
}
