import { Page } from "../design";

export function SettingsPage() {
  return <Page title="Settings">{null}</Page>;
}
