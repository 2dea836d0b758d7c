import { Page } from "../design";

export function SilencesPage() {
  return <Page title="Silences">{null}</Page>;
}
