import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import {
  Badge,
  buttonClass,
  type Column,
  classes,
  DataTable,
  EmptyState,
  Page,
  Problem,
  SeverityBadge,
  TimeAgo,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded, useDenial } from "../../forms/Guarded";
import { Matchers } from "../../forms/MatchersField";
import { Skeleton } from "../../forms/Skeleton";
import { Switch } from "../../forms/Switch";
import { answered } from "../../rest/answered";
import { useChannels, useStale } from "../../rest/nouns";
import type { Channel, Delivery } from "../../rest/types";
import { useMe } from "../../session/SessionProvider";
import { useApi } from "../../session/useApi";
import { destination, KIND_WORDS } from "./form";
import { healthOf } from "./health";
import { TestDialog } from "./TestDialog";

const RECENT = 200;

/** Where notifications go, and whether they arrive. */
export function ChannelsPage() {
  const api = useApi();
  const { may } = useMe();
  const navigate = useNavigate();
  const { data: channels, error, refetch } = useChannels();
  const [tested, setTested] = useState<Channel | null>(null);
  const recent = useQuery({
    queryKey: ["deliveries", "recent"],
    refetchInterval: 15_000,
    queryFn: () => answered(api.GET("/api/v1/deliveries", { params: { query: { limit: RECENT } } })),
  });
  const byChannel = useMemo(() => {
    const grouped = new Map<string, Delivery[]>();
    for (const delivery of recent.data?.items ?? []) {
      const some = grouped.get(delivery.channel_id);
      if (some === undefined) grouped.set(delivery.channel_id, [delivery]);
      else some.push(delivery);
    }
    return grouped;
  }, [recent.data]);

  const columns: Column<Channel>[] = [
    {
      header: "Channel",
      accessorKey: "name",
      cell: ({ row: { original: channel } }) => (
        <div className={styles["stack"]}>
          <Link to="/channels/$id" params={{ id: channel.id }}>
            {channel.name}
          </Link>
          <span className={styles["hint"]}>
            {KIND_WORDS[channel.kind] ?? channel.kind} to {destination(channel)}
          </span>
        </div>
      ),
    },
    {
      header: "Health",
      enableSorting: false,
      cell: ({ row: { original: channel } }) => (
        <Health channel={channel} recent={recent.data && (byChannel.get(channel.id) ?? [])} />
      ),
    },
    {
      header: "Takes",
      enableSorting: false,
      meta: { optional: true },
      cell: ({ row: { original: channel } }) => (
        <div className={styles["buttons"]}>
          {channel.min_severity === "info" ? (
            <span>everything</span>
          ) : (
            <SeverityBadge severity={channel.min_severity} />
          )}
          {channel.min_severity === "info" ? null : <span>and worse</span>}
          <Matchers matchers={channel.matchers} />
        </div>
      ),
    },
    {
      header: "On",
      accessorKey: "enabled",
      meta: { tight: true },
      cell: ({ row: { original: channel } }) => <Enabled channel={channel} />,
    },
    {
      id: "test",
      header: () => <span className="visually-hidden">Test</span>,
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original: channel } }) => (
        <Guarded needs="editor" size="small" aria-label={`Test ${channel.name}`} onClick={() => setTested(channel)}>
          Test
        </Guarded>
      ),
    },
  ];

  return (
    <Page
      title="Channels"
      about="A rule sends to the channels it names, or to every one whose matchers fit."
      actions={
        may("editor") ? (
          <Link to="/channels/$id" params={{ id: "new" }} className={buttonClass("primary")}>
            New channel
          </Link>
        ) : (
          <Guarded needs="editor" kind="primary">
            New channel
          </Guarded>
        )
      }
    >
      {error && channels === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : channels === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label="Channels"
          rows={channels}
          columns={columns}
          rowKey={({ id }) => id}
          onOpen={({ id }) => void navigate({ to: "/channels/$id", params: { id } })}
          empty={
            <EmptyState
              title="Nobody is told yet"
              action={
                may("editor") ? (
                  <Link to="/channels/$id" params={{ id: "new" }} className={buttonClass("primary")}>
                    New channel
                  </Link>
                ) : null
              }
            >
              Make a channel, then press Test: you see what the other side answered.
            </EmptyState>
          }
        />
      )}
      {tested ? <TestDialog channel={tested} onClose={() => setTested(null)} /> : null}
    </Page>
  );
}

/** How its newest deliveries went; a quiet channel's are asked for by themselves. */
function Health({ channel, recent }: { channel: Channel; recent: Delivery[] | undefined }) {
  const api = useApi();
  const own = useQuery({
    queryKey: ["deliveries", "last", channel.id],
    enabled: recent?.length === 0,
    staleTime: 300_000,
    queryFn: () => answered(api.GET("/api/v1/deliveries", { params: { query: { channel_id: channel.id, limit: 5 } } })),
  });
  const known = recent && recent.length > 0 ? recent.slice(0, 20) : own.data?.items;
  if (known === undefined) return <span className={styles["muted"]}>…</span>;
  const { tone, words, at, error } = healthOf(known);
  return (
    <div className={styles["stack"]}>
      <Link
        to="/deliveries"
        search={{ channel: channel.id } as never}
        className={classes(styles["buttons"], styles["bare"])}
      >
        <Badge tone={tone}>{words}</Badge>
        {at ? <TimeAgo time={at} suffix=" ago" /> : null}
      </Link>
      {error ? <span className={styles["error"]}>{error}</span> : null}
    </div>
  );
}

function Enabled({ channel }: { channel: Channel }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const denied = useDenial()("editor");
  const [busy, setBusy] = useState(false);
  const set = async (enabled: boolean) => {
    setBusy(true);
    try {
      const params = { path: { channel_id: channel.id } };
      await answered(api.PATCH("/api/v1/channels/{channel_id}", { params, body: { enabled } }));
      await stale("channels");
      say(`${channel.name} is ${enabled ? "on" : "off: nothing is sent to it"}.`);
    } catch (error) {
      say((error as Error).message, "problem");
    } finally {
      setBusy(false);
    }
  };
  return (
    <Switch
      label={`${channel.name} is on`}
      checked={channel.enabled}
      busy={busy}
      denied={denied}
      onChange={(on) => void set(on)}
    />
  );
}
