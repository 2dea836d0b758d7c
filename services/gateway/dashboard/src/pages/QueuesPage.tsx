import { Page } from "../design";

export function QueuesPage() {
  return <Page title="Queues">{null}</Page>;
}
