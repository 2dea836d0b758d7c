import { EmptyState } from "../../design";

/** Insights: what is to be expected. */
export function Predictions() {
  return <EmptyState title="Nothing is predicted" />;
}
