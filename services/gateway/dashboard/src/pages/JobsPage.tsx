import { Page } from "../design";

export function JobsPage() {
  return <Page title="Jobs">{null}</Page>;
}
