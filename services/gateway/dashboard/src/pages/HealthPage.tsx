import { Page } from "../design";

export function HealthPage() {
  return <Page title="Health">{null}</Page>;
}
