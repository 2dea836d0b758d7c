import type { Alert } from "@convex-alerts/client";
import { useMemo } from "react";
import { useToast } from "../design";
import { answered } from "../rest/answered";
import { useMe } from "../session/SessionProvider";
import { Refused } from "../session/session";
import { useApi } from "../session/useApi";
import {
  changes,
  conflict,
  type Deed,
  done,
  fieldsOf,
  nameOf,
  type Refusal,
  refusals,
  sentence,
  wished,
} from "./deeds";
import { useLive } from "./LiveProvider";

const AT_ONCE = 500;
const TRIES = 4;

/** Does it with each alert that it would change: shown at once, taken back where the server refuses. */
export type Act = (deed: Deed, ids: readonly string[]) => Promise<void>;

/** What people do with alerts. One is changed as it was seen (If-Match), many by one request. */
export function useAct(): Act {
  const api = useApi();
  const live = useLive();
  const { user_id: me } = useMe();
  const say = useToast();
  return useMemo(() => {
    const { store } = live;

    const change = (deed: Deed, { id, version }: Alert): Promise<Alert> => {
      const params = { path: { alert_id: id }, header: { "If-Match": `"${version}"` } };
      switch (deed.action) {
        case "acknowledge":
          return answered(api.POST("/api/v1/alerts/{alert_id}/acknowledge", { params, body: {} }));
        case "resolve":
          return answered(api.POST("/api/v1/alerts/{alert_id}/resolve", { params, body: fieldsOf(deed) }));
        case "snooze":
          return answered(api.POST("/api/v1/alerts/{alert_id}/snooze", { params, body: { until: deed.until } }));
        case "assign": {
          const body = { user_id: deed.to?.user_id ?? null };
          return answered(api.POST("/api/v1/alerts/{alert_id}/assign", { params, body }));
        }
      }
    };

    /** One more occurrence is no reason to refuse; another person's deed is. */
    const one = async (deed: Deed, id: string): Promise<void> => {
      const seen = store.told(id);
      if (seen === undefined) return;
      for (let base = seen, tries = 1; ; tries += 1) {
        try {
          return live.take(await change(deed, base));
        } catch (error) {
          if (!(error instanceof Refused && error.status === 412)) throw error;
          base = await answered(api.GET("/api/v1/alerts/{alert_id}", { params: { path: { alert_id: id } } }));
          live.take(base);
          const detail = conflict(deed, seen, base);
          if (detail !== null) throw new Refused(412, { detail });
          if (tries >= TRIES) throw error;
        }
      }
    };

    const many = async (deed: Deed, ids: readonly string[]): Promise<Refusal[]> => {
      const refused: Refusal[] = [];
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        const body = { ids: ids.slice(from, from + AT_ONCE), action: deed.action, ...fieldsOf(deed) };
        const { items } = await answered(api.POST("/api/v1/alerts/bulk", { body }));
        for (const { id, alert, problem } of items) {
          if (alert) live.take(alert);
          if (!problem) continue;
          const known = store.told(id);
          refused.push({ name: known ? nameOf(known) : id, reason: problem.detail ?? problem.title });
        }
      }
      return refused;
    };

    return async (deed, ids) => {
      const changed = ids.filter((id) => {
        const alert = store.get(id);
        return alert !== undefined && changes(deed, alert);
      });
      // What ended while one chose is told by its name, as what the server refuses.
      const left = ids.flatMap((id): Refusal[] => {
        const alert = store.get(id);
        const late = alert?.status === "resolved" && deed.action !== "resolve";
        return late ? [{ name: nameOf(alert), reason: "resolved already" }] : [];
      });
      const [first] = changed;
      if (first === undefined) {
        if (left.length > 0) say(refusals(left), "problem");
        else if (ids.length > 0) say(`Already ${done(deed)}.`);
        return;
      }
      const wish = wished(deed, me, new Date());
      const undo = changed.map((id) => store.wish(id, wish));
      live.draw();
      try {
        if (changed.length === 1) {
          await one(deed, first);
          say(`${sentence(done(deed))}: ${store.get(first)?.title ?? ""}`);
        } else {
          const refused = await many(deed, changed);
          left.push(...refused);
          if (refused.length < changed.length) say(`${changed.length - refused.length} ${done(deed)}`);
        }
        if (left.length > 0) say(refusals(left), "problem");
      } catch (error) {
        const stays = changed.length === 1 ? "It stays as it is." : "They stay as they are.";
        say(`${stays} ${error instanceof Error ? error.message : String(error)}`, "problem");
      } finally {
        for (const one of undo) one();
        live.draw();
      }
    };
  }, [api, live, me, say]);
}
