import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { Button, Dialog, Loading, Problem, StatusBadge } from "../../design";
import styles from "../../forms/forms.module.css";
import { answered } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Channel } from "../../rest/types";
import { useApi } from "../../session/useApi";
import { Attempts } from "../deliveries/Attempts";

/** Sends a test when it opens, and shows each attempt's answer as it comes. */
export function TestDialog({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const api = useApi();
  const stale = useStale();
  const test = useMutation({
    mutationFn: () =>
      answered(api.POST("/api/v1/channels/{channel_id}/test", { params: { path: { channel_id: channel.id } } })),
  });
  const { mutate } = test;
  // Development draws each component twice, and a test that is sent twice is told twice.
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    mutate();
  }, [mutate]);

  const id = test.data?.delivery_id;
  const delivery = useQuery({
    queryKey: ["deliveries", "one", id],
    enabled: id !== undefined,
    refetchInterval: ({ state }) => (state.data !== undefined && state.data.status !== "pending" ? false : 700),
    queryFn: () =>
      answered(api.GET("/api/v1/deliveries/{delivery_id}", { params: { path: { delivery_id: id ?? "" } } })),
  });
  const { data } = delivery;
  const error = test.error ?? (data === undefined ? delivery.error : null);
  const close = () => {
    void stale("deliveries");
    onClose();
  };

  return (
    <Dialog
      open
      wide
      onClose={close}
      title={`Test of ${channel.name}`}
      actions={
        <>
          <Button onClick={() => mutate()} busy={test.isPending || data?.status === "pending"}>
            Send another
          </Button>
          <Button kind="primary" onClick={close}>
            Close
          </Button>
        </>
      }
    >
      <div className={styles["rows"]} aria-live="polite">
        {error ? (
          <Problem error={error} retry={() => mutate()} />
        ) : data === undefined ? (
          <Loading what="Sending…" />
        ) : (
          <>
            <p className={styles["buttons"]}>
              <StatusBadge status={data.status} />
              <span>{VERDICTS[data.status]}</span>
              <Link to="/deliveries" search={{ id: data.id } as never}>
                Its delivery
              </Link>
            </p>
            {data.delayed_reason ? <p className={styles["hint"]}>{data.delayed_reason}</p> : null}
            <Attempts attempts={data.attempts} />
          </>
        )}
      </div>
    </Dialog>
  );
}

const VERDICTS: Record<string, string> = {
  pending: "On its way. If it fails for a reason that passes, it is tried again by itself.",
  delivered: "The other side took it.",
  failed: "The other side refused it for good. Correct the channel, then test again.",
  quarantined: "It failed too often. Correct what is wrong, then test again.",
};
