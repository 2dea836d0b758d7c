import { Page } from "../design";

export function AlertPage() {
  return <Page title="Alert">{null}</Page>;
}
