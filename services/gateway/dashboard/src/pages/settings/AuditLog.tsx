import { useState } from "react";
import {
  Button,
  type Column,
  DataTable,
  Dialog,
  EmptyState,
  Facts,
  moment,
  Problem,
  Select,
  TextField,
  TimeAgo,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { More } from "../../forms/More";
import { Skeleton } from "../../forms/Skeleton";
import { useFilters } from "../../forms/useFilters";
import { answered, from } from "../../rest/answered";
import type { AuditRecord } from "../../rest/types";
import { usePaged } from "../../rest/usePaged";
import { useMe } from "../../session/SessionProvider";
import { useApi } from "../../session/useApi";

const PERIODS: readonly { value: string; label: string }[] = [
  { value: "", label: "Any time" },
  { value: "1", label: "Last day" },
  { value: "7", label: "Last 7 days" },
  { value: "30", label: "Last 30 days" },
];
const DAY = 86_400_000;

/** Who did what, the newest first. */
export function AuditLog() {
  const api = useApi();
  const { may } = useMe();
  const [filters, setFilter] = useFilters(["actor", "action", "subject", "days"]);
  const [open, setOpen] = useState<AuditRecord | null>(null);
  const list = usePaged<AuditRecord>(
    ["audit", filters.actor, filters.action, filters.subject, filters.days],
    (cursor) => {
      const query = {
        limit: 50,
        ...from(cursor),
        ...(filters.actor.trim() ? { actor: filters.actor.trim() } : {}),
        ...(filters.action.trim() ? { action: filters.action.trim() } : {}),
        ...(filters.subject.trim() ? { subject: filters.subject.trim() } : {}),
        ...(filters.days ? { since: new Date(Date.now() - Number(filters.days) * DAY).toISOString() } : {}),
      };
      return answered(api.GET("/api/v1/audit", { params: { query } }));
    },
    { enabled: may("admin") },
  );
  const { rows } = list;
  if (!may("admin"))
    return <EmptyState title="Admins see the audit log">It names who did what in this workspace.</EmptyState>;

  const columns: Column<AuditRecord>[] = [
    {
      header: "When",
      accessorKey: "at",
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original } }) => <TimeAgo time={original.at} suffix=" ago" />,
    },
    { header: "Who", accessorKey: "actor", enableSorting: false },
    {
      header: "What",
      accessorKey: "action",
      enableSorting: false,
      cell: ({ row: { original } }) => (
        <button type="button" className={styles["link"]} onClick={() => setOpen(original)}>
          {original.action}
        </button>
      ),
    },
    { header: "To what", accessorKey: "subject", enableSorting: false, meta: { optional: true } },
  ];

  return (
    <>
      <div className={styles["filters"]}>
        <TextField
          label="Who"
          placeholder="user id or key:ID"
          value={filters.actor}
          onChange={(event) => setFilter("actor", event.target.value)}
        />
        <TextField
          label="What"
          placeholder="rule.changed"
          value={filters.action}
          onChange={(event) => setFilter("action", event.target.value)}
        />
        <TextField
          label="To what"
          placeholder="rule:ID"
          value={filters.subject}
          onChange={(event) => setFilter("subject", event.target.value)}
        />
        <Select label="When" value={filters.days} options={PERIODS} onChange={(value) => setFilter("days", value)} />
      </div>
      {list.error && rows === undefined ? (
        <Problem error={list.error} retry={() => void list.refetch()} />
      ) : rows === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label="Audit log"
          rows={rows}
          columns={columns}
          rowKey={({ sequence }) => String(sequence)}
          onOpen={setOpen}
          footer={list.hasNextPage ? <More list={list} /> : null}
          empty={
            <EmptyState title="Nothing is like that">
              Names have to be exact: rule.changed, rule:ID, a user id.
            </EmptyState>
          }
        />
      )}
      <Dialog
        open={open !== null}
        onClose={() => setOpen(null)}
        wide
        title={open?.action ?? ""}
        actions={
          <Button kind="primary" onClick={() => setOpen(null)}>
            Close
          </Button>
        }
      >
        {open ? (
          <div className={styles["rows"]}>
            <Facts
              facts={[
                ["Who", open.actor],
                ["To what", <code key="subject">{open.subject}</code>],
                ["When", moment(open.at)],
                ["Record", `${open.sequence} of this workspace's chain`],
                ["Trace", open.trace_id ? <code key="trace">{open.trace_id}</code> : null],
              ]}
            />
            <pre className={styles["payload"]}>{JSON.stringify(open.detail, null, 2)}</pre>
          </div>
        ) : null}
      </Dialog>
    </>
  );
}
