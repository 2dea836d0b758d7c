import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import {
  Badge,
  type Column,
  DataTable,
  Dialog,
  EmptyState,
  Facts,
  FormDialog,
  Page,
  Problem,
  Section,
  Select,
  TimeAgo,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { More } from "../../forms/More";
import { ScopeSelect, useFigureScope } from "../../forms/ScopeSelect";
import { Skeleton } from "../../forms/Skeleton";
import { useFilters } from "../../forms/useFilters";
import { answered, from } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Quarantined, Queue, QueueName } from "../../rest/types";
import { usePaged } from "../../rest/usePaged";
import { useMe } from "../../session/SessionProvider";
import { useApi } from "../../session/useApi";
import { milliseconds } from "../health/figures";

const ABOUT: Record<QueueName, string> = {
  alert: "Triggers and observations, until they are processed.",
  notification: "Deliveries, until they have arrived.",
  analytics: "Statistics' jobs.",
  prediction: "Predictions' jobs.",
  scheduler: "Jobs that the scheduler does itself.",
};
const OF_WORKSPACE: readonly QueueName[] = ["alert", "notification"];

/** What waits and how long, and what was put aside after it had failed too often. */
export function QueuesPage() {
  const api = useApi();
  const { operator } = useMe();
  const [filters, setFilter] = useFilters(["queue"]);
  const scope = useFigureScope();
  const { data, error, refetch } = useQuery({
    queryKey: ["queues", scope],
    refetchInterval: 5000,
    queryFn: () => answered(api.GET("/api/v1/queues", { params: { query: { scope } } })),
  });
  const chosen = (data?.items.find(({ name }) => name === filters.queue)?.name ?? "alert") as QueueName;
  const shown = data?.items.filter(({ name }) => scope === "installation" || OF_WORKSPACE.includes(name));

  return (
    <Page
      title="Queues"
      about="What waits for work, and what failed until a person looks at it."
      actions={<ScopeSelect />}
    >
      {error && data === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : shown === undefined ? (
        <Skeleton rows={2} />
      ) : (
        <div className={styles["cards"]}>
          {shown.map((queue) => (
            <Card key={queue.name} queue={queue} />
          ))}
        </div>
      )}
      <Section
        title="Quarantine"
        actions={
          <Select
            label="Queue"
            labelHidden
            value={chosen}
            options={(operator
              ? (data?.items ?? [])
              : (data?.items ?? []).filter(({ name }) => OF_WORKSPACE.includes(name))
            ).map(({ name, failed }) => ({ value: name, label: failed > 0 ? `${name} (${failed})` : name }))}
            onChange={(value) => setFilter("queue", value)}
          />
        }
      >
        <Quarantine key={chosen} queue={chosen} />
      </Section>
    </Page>
  );
}

function Card({ queue }: { queue: Queue }) {
  return (
    <section className={styles["card"]} aria-label={`Queue ${queue.name}`}>
      <div className={styles["head"]}>
        <h2>{queue.name}</h2>
        {queue.failed > 0 ? (
          <Badge tone="error">{queue.failed} in quarantine</Badge>
        ) : queue.waiting > 100 ? (
          <Badge tone="warning">behind</Badge>
        ) : (
          <Badge tone="good">flowing</Badge>
        )}
      </div>
      <p className={styles["hint"]}>{ABOUT[queue.name]}</p>
      <dl className={styles["figures"]}>
        {(["waiting", "active", "delayed", "completed"] as const).map((state) => (
          <div key={state}>
            <dt>{state === "completed" ? "done in 1 h" : state}</dt>
            <dd>{queue[state].toLocaleString()}</dd>
          </div>
        ))}
      </dl>
      <p className={styles["hint"]}>
        Waits {milliseconds(queue.wait?.p95)}, takes {milliseconds(queue.processing?.p95)} (p95 of the last 15 minutes).
      </p>
    </section>
  );
}

/** What was put aside from one queue: to look at, to send round again, or to give up. */
function Quarantine({ queue }: { queue: QueueName }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const { may } = useMe();
  const [open, setOpen] = useState<Quarantined | null>(null);
  const [dropping, setDropping] = useState<Quarantined | "all" | null>(null);
  const [busy, setBusy] = useState(false);
  const list = usePaged<Quarantined>(
    ["quarantine", queue],
    (cursor) =>
      answered(
        api.GET("/api/v1/queues/{name}/quarantine", {
          params: { path: { name: queue }, query: { limit: 50, ...from(cursor) } },
        }),
      ),
    { every: 15_000, enabled: may("editor") },
  );
  const { rows } = list;
  if (!may("editor")) {
    return (
      <EmptyState title="Editors see what is in quarantine">
        It may show what alerts are about. Ask an admin for the role.
      </EmptyState>
    );
  }

  const act = async (action: "replay" | "drop", one: Quarantined | "all") => {
    const params = { path: { name: queue } };
    const body = one === "all" ? {} : { ids: [one.id] };
    const moved = await answered(
      action === "replay"
        ? api.POST("/api/v1/queues/{name}/quarantine/replay", { params, body })
        : api.POST("/api/v1/queues/{name}/quarantine/drop", { params, body }),
    );
    setOpen(null);
    await stale("quarantine", "queues");
    const what = `${moved.ids.length} ${action === "replay" ? "sent round again" : "given up"}`;
    say(moved.remaining > 0 ? `${what}; ${moved.remaining} are left.` : `${what}.`);
  };
  const replay = async (one: Quarantined | "all") => {
    setBusy(true);
    try {
      await act("replay", one);
    } catch (error) {
      say((error as Error).message, "problem");
    } finally {
      setBusy(false);
    }
  };

  const columns: Column<Quarantined>[] = [
    {
      header: "Put aside",
      accessorKey: "quarantined_at",
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original } }) => <TimeAgo time={original.quarantined_at} suffix=" ago" />,
    },
    {
      header: "What",
      accessorKey: "kind",
      enableSorting: false,
      cell: ({ row: { original } }) => (
        <button type="button" className={styles["link"]} onClick={() => setOpen(original)}>
          {original.kind}
        </button>
      ),
    },
    {
      header: "Why",
      accessorKey: "reason",
      enableSorting: false,
      cell: ({ row: { original } }) => <span className={styles["error"]}>{original.reason}</span>,
    },
    {
      header: "Attempts",
      accessorKey: "attempts",
      enableSorting: false,
      meta: { numeric: true, optional: true, tight: true },
    },
  ];

  return (
    <>
      {list.error && rows === undefined ? (
        <Problem error={list.error} retry={() => void list.refetch()} />
      ) : rows === undefined ? (
        <Skeleton rows={2} />
      ) : (
        <DataTable
          label={`Quarantine of ${queue}`}
          rows={rows}
          columns={columns}
          rowKey={({ id }) => id}
          onOpen={setOpen}
          empty={
            <EmptyState title="Nothing is put aside">
              What fails too often comes here, so that it is neither lost nor tried for ever.
            </EmptyState>
          }
          footer={
            <span className={styles["buttons"]}>
              <More list={list} />
              <Guarded needs="editor" size="small" busy={busy} onClick={() => void replay("all")}>
                Replay all
              </Guarded>
              <Guarded needs="admin" size="small" onClick={() => setDropping("all")}>
                Drop all…
              </Guarded>
            </span>
          }
        />
      )}
      <Dialog
        open={open !== null}
        onClose={() => setOpen(null)}
        wide
        title={open?.kind ?? ""}
        actions={
          open === null ? null : (
            <>
              <Guarded needs="admin" onClick={() => setDropping(open)}>
                Drop…
              </Guarded>
              <Guarded needs="editor" kind="primary" busy={busy} onClick={() => void replay(open)}>
                Replay
              </Guarded>
            </>
          )
        }
      >
        {open === null ? null : (
          <div className={styles["rows"]}>
            <Facts
              facts={[
                ["Why", open.reason],
                ["Attempts", String(open.attempts)],
                ["Put aside", <TimeAgo key="at" time={open.quarantined_at} suffix=" ago" />],
                ["Id", <code key="id">{open.id}</code>],
              ]}
            />
            <pre className={styles["payload"]}>{pretty(open.payload)}</pre>
            <p className={styles["hint"]}>The start of it, without what looks like a secret.</p>
          </div>
        )}
      </Dialog>
      <FormDialog
        open={dropping !== null}
        onClose={() => setDropping(null)}
        title={dropping === "all" ? `Drop all of ${queue}'s quarantine?` : "Drop it?"}
        description={`${dropping === "all" ? "The oldest 500 are" : "It is"} given up for good, and nobody is told of what it was about. This is on the audit log.`}
        submit={dropping === "all" ? "Drop all" : "Drop"}
        danger
        onSubmit={async () => {
          if (dropping !== null) await act("drop", dropping);
        }}
      />
    </>
  );
}

function pretty(payload: string): string {
  try {
    return JSON.stringify(JSON.parse(payload), null, 2);
  } catch {
    return payload;
  }
}
