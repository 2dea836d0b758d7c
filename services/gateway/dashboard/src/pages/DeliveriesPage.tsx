import { Page } from "../design";

export function DeliveriesPage() {
  return <Page title="Deliveries">{null}</Page>;
}
