import { EmptyState } from "../../design";

/** Insights: what repeats itself in the alerts of the past. */
export function Patterns() {
  return <EmptyState title="No pattern is known" />;
}
