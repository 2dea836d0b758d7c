import { Link } from "@tanstack/react-router";
import { useState } from "react";
import {
  buttonClass,
  type Column,
  DataTable,
  EmptyState,
  FormDialog,
  moment,
  Page,
  Problem,
  StatusBadge,
  TimeAgo,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { Matchers } from "../../forms/MatchersField";
import { More } from "../../forms/More";
import { written } from "../../forms/matchers";
import { Skeleton } from "../../forms/Skeleton";
import { useFilters } from "../../forms/useFilters";
import { answered, from } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Silence } from "../../rest/types";
import { usePaged } from "../../rest/usePaged";
import { useMe } from "../../session/SessionProvider";
import { useApi } from "../../session/useApi";
import { recurring } from "./form";

const STATES = ["active", "pending", "expired"] as const;
type State = (typeof STATES)[number];

const EMPTY: Record<State, string> = {
  active: "Nothing is silenced now",
  pending: "No silence is to come",
  expired: "No silence has ended yet",
};

/** When the state that it is in ends, or began where it is over. */
function timeOf({ state, active_until, next_start, expired_at, starts_at, ends_at }: Silence): string {
  if (state === "active") return active_until ?? ends_at;
  return state === "pending" ? (next_start ?? starts_at) : (expired_at ?? ends_at);
}

/** Who is not told of what, and until when. */
export function SilencesPage() {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const { may } = useMe();
  const [filters] = useFilters(["state"]);
  const state = STATES.find((one) => one === filters.state) ?? "active";
  const [ending, setEnding] = useState<Silence | null>(null);
  const list = usePaged<Silence>(
    ["silences", state],
    (cursor) => answered(api.GET("/api/v1/silences", { params: { query: { state, limit: 50, ...from(cursor) } } })),
    { every: 15_000 },
  );
  const { rows } = list;

  const columns: Column<Silence>[] = [
    {
      header: "Which alerts",
      enableSorting: false,
      cell: ({ row: { original } }) => (
        <div className={styles["stack"]}>
          <Matchers matchers={original.matchers} />
          <span className={styles["hint"]}>{original.comment}</span>
        </div>
      ),
    },
    {
      header: state === "pending" ? "From" : state === "active" ? "Until" : "Ended",
      enableSorting: false,
      cell: ({ row: { original } }) => {
        const time = timeOf(original);
        return (
          <div className={styles["stack"]}>
            <TimeAgo time={time} suffix=" ago" />
            <span className={styles["hint"]}>
              {moment(time)}
              {original.rrule ? `, ${recurring(original.rrule)} (${original.timezone ?? "UTC"})` : ""}
              {original.expired_by ? `, by ${original.expired_by}` : ""}
            </span>
          </div>
        );
      },
    },
    { header: "By", accessorKey: "created_by", enableSorting: false, meta: { optional: true, tight: true } },
    {
      header: "State",
      enableSorting: false,
      meta: { optional: true, tight: true },
      cell: ({ row: { original } }) => <StatusBadge status={original.state} />,
    },
    {
      id: "actions",
      header: () => <span className="visually-hidden">Actions</span>,
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original } }) => (
        <span className={`${styles["buttons"]} ${styles["end"]}`}>
          <Link
            to="/silences/new"
            search={{ matcher: original.matchers.map(written) } as never}
            className={buttonClass("plain", "small")}
          >
            Again
          </Link>
          {original.state === "expired" ? null : (
            <Guarded needs="responder" size="small" onClick={() => setEnding(original)}>
              End…
            </Guarded>
          )}
        </span>
      ),
    },
  ];

  return (
    <Page
      title="Silences"
      about="A silenced alert is there to see, and nobody is notified of it."
      actions={
        may("responder") ? (
          <Link to="/silences/new" className={buttonClass("primary")}>
            New silence
          </Link>
        ) : null
      }
    >
      <nav className={styles["tabs"]} aria-label="State">
        {STATES.map((one) => (
          <Link
            key={one}
            to="/silences"
            search={{ state: one } as never}
            className={styles["tab"]}
            aria-current={one === state ? "page" : undefined}
          >
            {one === "pending" ? "To come" : one === "active" ? "Active" : "Expired"}
          </Link>
        ))}
      </nav>
      {list.error && rows === undefined ? (
        <Problem error={list.error} retry={() => void list.refetch()} />
      ) : rows === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label={`Silences: ${state}`}
          rows={rows}
          columns={columns}
          rowKey={({ id }) => id}
          footer={list.hasNextPage ? <More list={list} /> : null}
          empty={
            <EmptyState
              title={EMPTY[state]}
              action={
                may("responder") ? (
                  <Link to="/silences/new" className={buttonClass("primary")}>
                    New silence
                  </Link>
                ) : null
              }
            >
              Before a deployment or a maintenance, silence what it would set off.
            </EmptyState>
          }
        />
      )}
      <FormDialog
        open={ending !== null}
        onClose={() => setEnding(null)}
        title="End this silence now?"
        description="What still fires of it is notified then."
        submit="End it"
        danger
        onSubmit={async () => {
          if (ending === null) return;
          await answered(api.DELETE("/api/v1/silences/{silence_id}", { params: { path: { silence_id: ending.id } } }));
          await stale("silences");
          say("The silence has ended.");
        }}
      />
    </Page>
  );
}
