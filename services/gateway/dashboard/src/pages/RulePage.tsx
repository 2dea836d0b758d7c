import { Page } from "../design";

export function RulePage() {
  return <Page title="Rule">{null}</Page>;
}
