import { useState } from "react";
import { AlertFeed, Status, useAlertWebSocket } from "../src/index.ts";

export function Page({ token }: { token: string }) {
  return <AlertFeed baseUrl="https://alerts.example.com" token={token} max={50} label="Open alerts" />;
}

export function Counter({
  workspaceId,
  frameworkId,
  token,
}: {
  workspaceId: string;
  frameworkId: string;
  token: string;
}) {
  const [last, setLast] = useState("");
  const { state, isConnected, error, messageCount, connect } = useAlertWebSocket({
    baseUrl: "https://alerts.example.com",
    workspaceId,
    frameworkId,
    token,
    onAlert: ({ event, data }) => setLast(`${event}: ${data.title}`),
    onGap: () => setLast("something was missed: read the list again"),
  });
  return (
    <section>
      <Status state={state} /> {messageCount} changes. {last}
      {!isConnected && error?.final && (
        <button type="button" onClick={connect}>
          {error.message}: try again
        </button>
      )}
    </section>
  );
}
