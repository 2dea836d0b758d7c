import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import {
  Button,
  type Column,
  DataTable,
  Dialog,
  EmptyState,
  Facts,
  Loading,
  Page,
  Problem,
  Select,
  StatusBadge,
  TimeAgo,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { More } from "../../forms/More";
import { Skeleton } from "../../forms/Skeleton";
import { useFilters } from "../../forms/useFilters";
import { answered, from } from "../../rest/answered";
import { useChannels, useStale } from "../../rest/nouns";
import type { Delivery, DeliveryStatus } from "../../rest/types";
import { usePaged } from "../../rest/usePaged";
import { useApi } from "../../session/useApi";
import { Attempts } from "./Attempts";

const STATUSES: readonly { value: "" | DeliveryStatus; label: string }[] = [
  { value: "", label: "All" },
  { value: "pending", label: "Pending" },
  { value: "delivered", label: "Delivered" },
  { value: "failed", label: "Failed" },
  { value: "quarantined", label: "Quarantined" },
];

/** The ledger: what was sent where, how often it was tried, and what came back. */
export function DeliveriesPage() {
  const api = useApi();
  const { data: channels } = useChannels();
  const [filters, setFilter] = useFilters(["status", "channel", "alert", "id"]);
  const list = usePaged<Delivery>(
    ["deliveries", "list", filters.status, filters.channel, filters.alert],
    (cursor) => {
      const query = {
        limit: 50,
        ...from(cursor),
        ...(filters.status === "" ? {} : { status: filters.status as DeliveryStatus }),
        ...(filters.channel === "" ? {} : { channel_id: filters.channel }),
        ...(filters.alert === "" ? {} : { alert_id: filters.alert }),
      };
      return answered(api.GET("/api/v1/deliveries", { params: { query } }));
    },
    { every: 10_000 },
  );
  const { rows } = list;
  const filtered = filters.status !== "" || filters.channel !== "" || filters.alert !== "";

  const columns: Column<Delivery>[] = [
    {
      header: "Made",
      accessorKey: "created_at",
      enableSorting: false,
      cell: ({ row: { original } }) => <TimeAgo time={original.created_at} suffix=" ago" />,
      meta: { tight: true },
    },
    {
      header: "Channel",
      enableSorting: false,
      cell: ({ row: { original } }) => (
        <button type="button" className={styles["link"]} onClick={() => setFilter("id", original.id)}>
          {original.channel_name}
        </button>
      ),
    },
    {
      header: "Why",
      enableSorting: false,
      cell: ({ row: { original } }) =>
        original.alert_id === null || original.cause === "test" ? (
          original.cause
        ) : (
          <Link to="/alerts/$id" params={{ id: original.alert_id }}>
            {original.cause}
          </Link>
        ),
    },
    {
      header: "Status",
      enableSorting: false,
      cell: ({ row: { original } }) => <StatusBadge status={original.status} />,
      meta: { tight: true },
    },
    {
      header: "Attempts",
      enableSorting: false,
      accessorFn: ({ attempts }) => attempts.length,
      meta: { numeric: true, optional: true, tight: true },
    },
    {
      header: "What happened",
      enableSorting: false,
      meta: { optional: true },
      cell: ({ row: { original } }) => <Outcome delivery={original} />,
    },
  ];

  return (
    <Page title="Deliveries" about="Each notification to each channel, the newest first.">
      <div className={styles["filters"]}>
        <Select
          label="Status"
          value={filters.status}
          options={STATUSES}
          onChange={(value) => setFilter("status", value)}
        />
        <Select
          label="Channel"
          value={filters.channel}
          options={[
            { value: "", label: "All" },
            ...(channels ?? []).map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(value) => setFilter("channel", value)}
        />
        {filters.alert === "" ? null : <Button onClick={() => setFilter("alert", "")}>Of one alert alone ✕</Button>}
      </div>
      {list.error && rows === undefined ? (
        <Problem error={list.error} retry={() => void list.refetch()} />
      ) : rows === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label="Deliveries"
          rows={rows}
          columns={columns}
          rowKey={({ id }) => id}
          onOpen={({ id }) => setFilter("id", id)}
          footer={list.hasNextPage ? <More list={list} /> : null}
          empty={
            filtered ? (
              <EmptyState title="No delivery is like that">Take a filter away to see others.</EmptyState>
            ) : (
              <EmptyState title="Nothing was sent yet" action={<Link to="/channels">Channels</Link>}>
                Test a channel, or wait for an alert that one takes.
              </EmptyState>
            )
          }
        />
      )}
      {filters.id === "" ? null : <Detail id={filters.id} onClose={() => setFilter("id", "")} />}
    </Page>
  );
}

function Outcome({ delivery }: { delivery: Delivery }) {
  if (delivery.status === "pending" && delivery.next_attempt_at !== null) {
    return (
      <span>
        next try <TimeAgo time={delivery.next_attempt_at} />
        {delivery.delayed_reason ? `: ${delivery.delayed_reason}` : ""}
        {delivery.last_error ? <span className={styles["error"]}> {delivery.last_error}</span> : null}
      </span>
    );
  }
  if (delivery.status === "delivered")
    return <span className={styles["muted"]}>{delivery.attempts.at(-1)?.answer}</span>;
  return <span className={styles["error"]}>{delivery.last_error}</span>;
}

/** One delivery with its attempts; what is finished can be sent again. */
function Detail({ id, onClose }: { id: string; onClose: () => void }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const [busy, setBusy] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ["deliveries", "one", id],
    refetchInterval: ({ state }) => (state.data?.status === "pending" ? 2000 : false),
    queryFn: () => answered(api.GET("/api/v1/deliveries/{delivery_id}", { params: { path: { delivery_id: id } } })),
  });
  const replay = async () => {
    setBusy(true);
    try {
      await answered(api.POST("/api/v1/deliveries/{delivery_id}/replay", { params: { path: { delivery_id: id } } }));
      await stale("deliveries");
    } catch (failure) {
      say((failure as Error).message, "problem");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={data ? `To ${data.channel_name}` : "Delivery"}
      actions={
        <>
          <Guarded
            needs="editor"
            busy={busy}
            denied={data?.status === "pending" ? "It is under way already." : null}
            onClick={() => void replay()}
          >
            Send again
          </Guarded>
          <Button kind="primary" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      {error && data === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Loading />
      ) : (
        <div className={styles["rows"]}>
          <Facts
            facts={[
              ["Status", <StatusBadge key="status" status={data.status} />],
              ["Why", data.cause],
              [
                "Alert",
                data.alert_id === null || data.cause === "test" ? null : (
                  <Link key="alert" to="/alerts/$id" params={{ id: data.alert_id }}>
                    Its page
                  </Link>
                ),
              ],
              ["Made", <TimeAgo key="made" time={data.created_at} suffix=" ago" />],
              ["Next try", data.next_attempt_at ? <TimeAgo key="next" time={data.next_attempt_at} /> : null],
              ["Delayed", data.delayed_reason],
              ["Last error", data.last_error],
            ]}
          />
          <Attempts attempts={data.attempts} />
        </div>
      )}
    </Dialog>
  );
}
