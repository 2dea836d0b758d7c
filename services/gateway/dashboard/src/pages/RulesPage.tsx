import { Page } from "../design";

export function RulesPage() {
  return <Page title="Rules">{null}</Page>;
}
