import { useQuery } from "@tanstack/react-query";
import {
  Badge,
  type Column,
  DataTable,
  EmptyState,
  Facts,
  FigureTable,
  Loading,
  moment,
  Problem,
  Section,
  TimeAgo,
  type Tone,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { answered } from "../../rest/answered";
import { useFrameworkName } from "../../rest/nouns";
import { useApi } from "../../session/useApi";
import { CalibrationChart } from "./CalibrationChart";
import { figure, HORIZONS, horizon, KINDS, type Outcome, type Prediction, percent, type Report } from "./foretold";
import own from "./predictions.module.css";

const TONES: Record<Prediction["risk"], Tone> = {
  low: "neutral",
  medium: "info",
  high: "warning",
  critical: "critical",
};

/** Insights: what is to be expected of each framework, why, and how good that was before. */
export function Predictions() {
  const api = useApi();
  const { data, error, refetch } = useQuery({
    queryKey: ["predictions"],
    queryFn: () => answered(api.GET("/api/v1/analytics/predictions")),
  });
  if (error) return <Problem error={error} retry={() => void refetch()} />;
  if (data === undefined) return <Loading />;
  const { calibration, model } = data;
  return (
    <>
      {data.made_at === null ? (
        <EmptyState title="Nothing is predicted yet">
          Frameworks that have had alerts are predicted at 03:00 UTC, and when an operator runs the job predictions.
        </EmptyState>
      ) : (
        <p className={styles["hint"]}>
          Foretold <TimeAgo time={data.made_at} suffix=" ago" />, the framework that should worry most first.
        </p>
      )}
      {data.frameworks.map((report) => (
        <Framework key={report.framework_id} report={report} />
      ))}
      {calibration.scored === 0 ? null : (
        <Section title="How good that was">
          <div className={own["good"]}>
            <CalibrationChart bins={calibration.bins} />
            <Facts
              facts={[
                ["Scored in 30 days", calibration.scored],
                ["The likelier happened", percent(calibration.accurate / calibration.scored)],
                ["Brier score", `${figure(calibration.brier)} (0 is perfect)`],
                ["The base rate's", figure(calibration.base_rate_brier)],
                ...calibration.kinds.map(
                  (one) =>
                    [KINDS[one.kind], `${figure(one.brier)}, the base rate's ${figure(one.base_rate_brier)}`] as const,
                ),
              ]}
            />
          </div>
          <Outcomes outcomes={data.outcomes} />
        </Section>
      )}
      {model.calls === 0 ? null : (
        <p className={styles["hint"]}>
          A model was asked {model.calls} times this month: {model.input_tokens + model.output_tokens} tokens,{" "}
          {model.cost_usd.toFixed(2)} US dollars.
        </p>
      )}
    </>
  );
}

function Framework({ report }: { report: Report }) {
  return (
    <Section title={report.framework_name}>
      <FigureTable
        label={`What is to be expected of ${report.framework_name}`}
        columns={["Within", ...HORIZONS.map(horizon), "Expected"]}
      >
        {(Object.keys(KINDS) as Prediction["kind"][]).map((kind) => {
          const row = report.predictions.filter((one) => one.kind === kind);
          return row.length === 0 ? null : <Row key={kind} kind={kind} row={row} />;
        })}
      </FigureTable>
      <ul className={own["reasons"]}>
        {report.reasoning.map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      {report.actions.map(({ action, because }) => (
        <p key={action}>
          <strong>{action}</strong> <span className={styles["hint"]}>{because}</span>
        </p>
      ))}
      {report.written_by === "statistics" ? null : (
        <p className={styles["hint"]}>Words by {report.written_by}; the probabilities are those of statistics.</p>
      )}
    </Section>
  );
}

function Row({ kind, row }: { kind: Prediction["kind"]; row: Prediction[] }) {
  const first = row[0];
  return (
    <tr>
      <th scope="row">
        {KINDS[kind]}
        {first?.threshold == null ? null : (
          <span className={styles["hint"]}> more than {first.threshold} in an hour</span>
        )}
      </th>
      {HORIZONS.map((seconds) => {
        const one = row.find(({ horizon_seconds }) => horizon_seconds === seconds);
        return (
          <td key={seconds} title={one?.reason}>
            {one ? (
              <Badge tone={TONES[one.risk]}>
                {percent(one.probability)} {one.risk}
              </Badge>
            ) : null}
          </td>
        );
      })}
      <td>
        {first?.expected_at == null ? (
          "not within a week"
        ) : (
          <span title={`${when(first.expected_from)} to ${when(first.expected_to)}`}>
            <TimeAgo time={first.expected_at} suffix=" ago" />
          </span>
        )}
      </td>
    </tr>
  );
}

const when = (time: string | null) => (time === null ? "beyond a week" : moment(time));

function Outcomes({ outcomes }: { outcomes: Outcome[] }) {
  const nameOf = useFrameworkName();
  const columns: Column<Outcome>[] = [
    { id: "framework", header: "Framework", accessorFn: (row) => nameOf(row.framework_id) },
    { id: "what", header: "What", accessorFn: (row) => `${KINDS[row.kind]} within ${horizon(row.horizon_seconds)}` },
    {
      id: "made",
      header: "Foretold",
      accessorFn: (row) => row.made_at,
      cell: ({ row }) => moment(row.original.made_at),
    },
    {
      id: "probability",
      header: "Probability",
      accessorFn: (row) => row.probability,
      cell: ({ row }) => percent(row.original.probability),
      meta: { numeric: true },
    },
    {
      id: "happened",
      header: "It happened",
      accessorFn: (row) => row.happened_at ?? "",
      cell: ({ row }) => (row.original.happened_at === null ? "no" : moment(row.original.happened_at)),
    },
  ];
  return (
    <DataTable
      label="What became of the last predictions"
      rows={outcomes}
      columns={columns}
      rowKey={(row) => `${row.framework_id} ${row.made_at} ${row.kind} ${row.horizon_seconds}`}
      empty={null}
    />
  );
}
