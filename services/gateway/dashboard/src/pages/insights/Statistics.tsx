import { EmptyState } from "../../design";

/** Insights: how alerts went, by framework and in time. */
export function Statistics() {
  return <EmptyState title="Nothing is counted yet" />;
}
