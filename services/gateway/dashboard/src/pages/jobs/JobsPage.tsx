import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import {
  Badge,
  Button,
  type Column,
  DataTable,
  Dialog,
  EmptyState,
  Facts,
  Loading,
  moment,
  Page,
  Problem,
  StatusBadge,
  TimeAgo,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { Skeleton } from "../../forms/Skeleton";
import { useFilters } from "../../forms/useFilters";
import { answered } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Job, JobRun } from "../../rest/types";
import { useMe } from "../../session/SessionProvider";
import { useApi } from "../../session/useApi";
import { milliseconds } from "../health/figures";
import { standingOf, timetable } from "./standing";

/** What the installation does by the clock: how the last runs went, when the next is due. */
export function JobsPage() {
  const api = useApi();
  const { may } = useMe();
  const [filters, setFilter] = useFilters(["job"]);
  const { data, error, refetch } = useQuery({
    queryKey: ["jobs"],
    enabled: may("admin"),
    refetchInterval: 10_000,
    queryFn: () => answered(api.GET("/api/v1/jobs")),
  });
  const open = data?.items.find(({ name }) => name === filters.job);

  const columns: Column<Job>[] = [
    {
      header: "Job",
      accessorKey: "name",
      cell: ({ row: { original: job } }) => (
        <div className={styles["stack"]}>
          <button type="button" className={styles["link"]} onClick={() => setFilter("job", job.name)}>
            {job.name}
          </button>
          <span className={styles["hint"]}>{timetable(job.cron_job?.schedule ?? job.schedule)}</span>
        </div>
      ),
    },
    {
      header: "State",
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original: job } }) => <State job={job} />,
    },
    {
      header: "Last run",
      accessorKey: "last_run",
      cell: ({ row: { original: job } }) =>
        job.last_run === null ? (
          <span className={styles["muted"]}>–</span>
        ) : (
          <span>
            <TimeAgo time={job.last_run} suffix=" ago" />
            {job.last_duration_seconds === null ? "" : `, took ${milliseconds(job.last_duration_seconds * 1000)}`}
          </span>
        ),
    },
    {
      header: "Next run",
      accessorKey: "next_run",
      meta: { optional: true },
      cell: ({ row: { original: job } }) =>
        job.suspended ? <span className={styles["muted"]}>when it is resumed</span> : <TimeAgo time={job.next_run} />,
    },
    {
      header: "Runs",
      accessorKey: "runs_completed",
      meta: { numeric: true, optional: true },
      cell: ({ row: { original: job } }) => (
        <span>
          {job.runs_completed.toLocaleString()}
          {job.runs_failed > 0 ? <span className={styles["error"]}> {job.runs_failed} failed</span> : null}
        </span>
      ),
    },
    {
      id: "actions",
      header: () => <span className="visually-hidden">Actions</span>,
      enableSorting: false,
      meta: { tight: true, optional: true },
      cell: ({ row: { original: job } }) => <Actions job={job} />,
    },
  ];

  return (
    <Page
      title="Jobs"
      about="What the installation does by the clock. Times are yours; timetables are in UTC."
      actions={
        data?.kubernetes && !data.kubernetes.reachable ? (
          <Badge tone="warning">Kubernetes cannot be reached</Badge>
        ) : null
      }
    >
      {!may("admin") ? (
        <EmptyState title="Admins see the jobs">They belong to the installation. Ask an admin for the role.</EmptyState>
      ) : error && data === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Skeleton rows={8} />
      ) : (
        <DataTable
          label="Jobs"
          rows={data.items}
          columns={columns}
          rowKey={({ name }) => name}
          onOpen={({ name }) => setFilter("job", name)}
          empty={<EmptyState title="There are no jobs" />}
        />
      )}
      {open ? <Detail job={open} onClose={() => setFilter("job", "")} /> : null}
    </Page>
  );
}

function State({ job }: { job: Job }) {
  const { tone, words } = standingOf(job);
  return <Badge tone={tone}>{words}</Badge>;
}

function Actions({ job }: { job: Job }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const [busy, setBusy] = useState("");
  const params = { path: { name: job.name } };
  const act = async (name: string, ask: () => Promise<unknown>, done: string) => {
    setBusy(name);
    try {
      await ask();
      await stale("jobs");
      say(done);
    } catch (error) {
      say((error as Error).message, "problem");
    } finally {
      setBusy("");
    }
  };
  const chart = job.suspended_source === "values" ? "The chart's values suspend it; change them there." : null;
  return (
    <span className={`${styles["buttons"]} ${styles["end"]}`}>
      <Guarded
        needs="owner"
        size="small"
        aria-label={`Run now: ${job.name}`}
        busy={busy === "run"}
        denied={job.running ? "A run is under way already." : null}
        onClick={() =>
          void act(
            "run",
            () => answered(api.POST("/api/v1/jobs/{name}/run", { params })),
            `A run of ${job.name} is asked for.`,
          )
        }
      >
        Run now
      </Guarded>
      {job.suspended ? (
        <Guarded
          needs="owner"
          size="small"
          aria-label={`Resume ${job.name}`}
          busy={busy === "resume"}
          denied={chart}
          onClick={() =>
            void act(
              "resume",
              () => answered(api.POST("/api/v1/jobs/{name}/resume", { params })),
              `${job.name} is on its timetable again.`,
            )
          }
        >
          Resume
        </Guarded>
      ) : (
        <Guarded
          needs="owner"
          size="small"
          aria-label={`Suspend ${job.name}`}
          busy={busy === "suspend"}
          onClick={() =>
            void act(
              "suspend",
              () => answered(api.POST("/api/v1/jobs/{name}/suspend", { params })),
              `${job.name} is off its timetable until somebody resumes it.`,
            )
          }
        >
          Suspend
        </Guarded>
      )}
    </span>
  );
}

const SOURCES: Record<string, string> = {
  order: "by order",
  values: "by the chart's values",
  cluster: "in the cluster",
};

/** A job with its newest runs. */
function Detail({ job, onClose }: { job: Job; onClose: () => void }) {
  const api = useApi();
  const { data, error } = useQuery({
    queryKey: ["jobs", job.name],
    refetchInterval: 3000,
    queryFn: () => answered(api.GET("/api/v1/jobs/{name}", { params: { path: { name: job.name } } })),
  });
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={job.name}
      actions={
        <>
          <Actions job={job} />
          <Button kind="primary" onClick={onClose}>
            Close
          </Button>
        </>
      }
    >
      <div className={styles["rows"]}>
        <Facts
          facts={[
            ["State", <State key="state" job={job} />],
            [
              "Timetable",
              `${timetable(job.cron_job?.schedule ?? job.schedule)} (${job.cron_job?.schedule ?? job.schedule})`,
            ],
            ["Next run", job.suspended ? "when it is resumed" : moment(job.next_run)],
            [
              "Last success",
              job.last_success ? <TimeAgo key="success" time={job.last_success} suffix=" ago" /> : "none yet",
            ],
            ["Runs", `${job.runs_completed} completed, ${job.runs_skipped} skipped, ${job.runs_failed} failed`],
            [
              "Suspended",
              job.suspended
                ? `${SOURCES[job.suspended_source ?? ""] ?? ""}${job.suspended_by ? ` of ${job.suspended_by}` : ""}`
                : null,
            ],
            ["Still to tell", job.pending_order ? `the CronJob: ${job.pending_order}` : null],
            ["Last error", job.last_error],
            [
              "CronJob",
              job.cron_job ? `${job.cron_job.name}${job.cron_job.error ? `: ${job.cron_job.error}` : ""}` : null,
            ],
          ]}
        />
        <h3>Newest runs</h3>
        {error && data === undefined ? (
          <Problem error={error} />
        ) : data === undefined ? (
          <Loading />
        ) : (
          <DataTable
            label={`Runs of ${job.name}`}
            rows={data.runs}
            columns={RUNS}
            rowKey={({ id }) => id}
            empty={
              <p className={styles["hint"]}>None is kept: finished runs go after an hour, failed ones after a day.</p>
            }
          />
        )}
      </div>
    </Dialog>
  );
}

const RUNS: Column<JobRun>[] = [
  {
    header: "For",
    accessorKey: "slot",
    enableSorting: false,
    cell: ({ row: { original } }) => <TimeAgo time={original.slot} suffix=" ago" />,
  },
  {
    header: "Status",
    accessorKey: "status",
    enableSorting: false,
    cell: ({ row: { original } }) => <StatusBadge status={original.status} />,
  },
  {
    header: "Asked by",
    enableSorting: false,
    accessorFn: ({ requested_by }) => requested_by ?? "the timetable",
    meta: { optional: true },
  },
  {
    header: "Took",
    enableSorting: false,
    cell: ({ row: { original: run } }) =>
      run.started_at && run.finished_at ? milliseconds(Date.parse(run.finished_at) - Date.parse(run.started_at)) : "–",
  },
  {
    header: "Error",
    enableSorting: false,
    meta: { optional: true },
    cell: ({ row: { original: run } }) => (
      <span className={styles["error"]}>{run.last_error ?? run.no_kubernetes_job ?? ""}</span>
    ),
  },
];
