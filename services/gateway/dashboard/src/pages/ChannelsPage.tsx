import { Page } from "../design";

export function ChannelsPage() {
  return <Page title="Channels">{null}</Page>;
}
