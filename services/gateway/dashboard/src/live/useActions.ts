import type { Alert } from "@convex-alerts/client";
import { useMemo } from "react";
import { useToast } from "../design";
import { answered } from "../rest/answered";
import { useMe } from "../session/SessionProvider";
import { Refused } from "../session/session";
import { useApi } from "../session/useApi";
import { useLive } from "./LiveProvider";

export type Action = "acknowledge" | "resolve";

const AT_ONCE = 500;
const TRIES = 4;
const DONE: Record<Action, string> = { acknowledge: "acknowledged", resolve: "resolved" };

/** Whether a person can do it with the alert as it stands. */
export function isPossible(action: Action, alert: Alert): boolean {
  return action === "acknowledge" ? alert.status === "firing" : alert.status !== "resolved";
}

export interface Actions {
  /** Does it with each that allows it: shown at once, taken back where the server refuses. */
  act: (action: Action, ids: readonly string[], notes?: string) => Promise<void>;
}

/** What people do with alerts. One is changed as it was seen (If-Match), many by one request. */
export function useActions(): Actions {
  const api = useApi();
  const live = useLive();
  const me = useMe();
  const say = useToast();
  return useMemo(() => {
    const { store } = live;

    const wished = (action: Action, notes: string | undefined): Partial<Alert> => {
      const at = new Date().toISOString();
      return action === "acknowledge"
        ? { status: "acknowledged", acknowledged_by: me.user_id, acknowledged_at: at }
        : { status: "resolved", resolved_by: me.user_id, resolved_at: at, resolution_notes: notes || null };
    };

    const change = (action: Action, alert: Alert, notes: string | undefined): Promise<Alert> => {
      const params = { path: { alert_id: alert.id }, header: { "If-Match": `"${alert.version}"` } };
      return answered(
        action === "acknowledge"
          ? api.POST("/api/v1/alerts/{alert_id}/acknowledge", { params, body: {} })
          : api.POST("/api/v1/alerts/{alert_id}/resolve", { params, body: notes ? { notes } : {} }),
      );
    };

    /** One more occurrence is no reason to refuse; another person's deed is. */
    const one = async (action: Action, id: string, notes: string | undefined): Promise<void> => {
      const seen = store.told(id);
      if (seen === undefined) return;
      for (let base = seen, tries = 1; ; tries += 1) {
        try {
          return live.take(await change(action, base, notes));
        } catch (error) {
          if (!(error instanceof Refused && error.status === 412)) throw error;
          base = await answered(api.GET("/api/v1/alerts/{alert_id}", { params: { path: { alert_id: id } } }));
          live.take(base);
          if (base.status !== seen.status) throw new Refused(412, { detail: conflict(base) });
          if (tries >= TRIES) throw error;
        }
      }
    };

    const many = async (action: Action, ids: readonly string[], notes: string | undefined): Promise<string[]> => {
      const refused: string[] = [];
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        const some = ids.slice(from, from + AT_ONCE);
        const { items } = await answered(
          api.POST("/api/v1/alerts/bulk", { body: { ids: some, action, ...(notes ? { notes } : {}) } }),
        );
        for (const { alert, problem } of items) {
          if (alert) live.take(alert);
          if (problem) refused.push(problem.detail ?? problem.title);
        }
      }
      return refused;
    };

    const act: Actions["act"] = async (action, ids, notes) => {
      const possible = ids.filter((id) => {
        const alert = store.get(id);
        return alert !== undefined && isPossible(action, alert);
      });
      const [first] = possible;
      if (first === undefined) {
        if (ids.length > 0)
          say(ids.length === 1 ? `It is ${store.get(ids[0] ?? "")?.status ?? "gone"} already.` : "Nothing to do.");
        return;
      }
      const undo = possible.map((id) => store.wish(id, wished(action, notes)));
      live.draw();
      try {
        if (possible.length === 1) {
          await one(action, first, notes);
          say(`${action === "acknowledge" ? "Acknowledged" : "Resolved"}: ${store.get(first)?.title ?? ""}`);
        } else {
          const refused = await many(action, possible, notes);
          say(`${possible.length - refused.length} ${DONE[action]}`);
          if (refused.length > 0)
            say(`${refused.length} not ${DONE[action]}: ${[...new Set(refused)].join("; ")}`, "problem");
        }
      } catch (error) {
        say(`Not ${DONE[action]}. ${error instanceof Error ? error.message : String(error)}`, "problem");
      } finally {
        for (const one of undo) one();
        live.draw();
      }
    };
    return { act };
  }, [api, live, me, say]);
}

function conflict(now: Alert): string {
  const who = now.status === "resolved" ? now.resolved_by : now.acknowledged_by;
  return `Meanwhile it was ${now.status === "firing" ? "fired anew" : now.status}${who ? ` by ${who}` : ""}.`;
}
