import { Page } from "../design";

export function AlertsPage() {
  return <Page title="Alerts">{null}</Page>;
}
