import { Select } from "../design";
import { useMe } from "../session/SessionProvider";
import { useFilters } from "./useFilters";

export type FigureScope = "workspace" | "installation";

/** Whose figures are shown: operators may choose the whole installation's, which the page's address keeps. */
export function useFigureScope(): FigureScope {
  const { operator } = useMe();
  const [filters] = useFilters(["scope"]);
  return operator && filters.scope === "installation" ? "installation" : "workspace";
}

/** The choice; nothing for those who have none. */
export function ScopeSelect() {
  const { operator } = useMe();
  const [, setFilter] = useFilters(["scope"]);
  const scope = useFigureScope();
  return operator ? (
    <Select
      label="Figures of"
      labelHidden
      value={scope}
      options={[
        { value: "workspace", label: "This workspace" },
        { value: "installation", label: "The installation" },
      ]}
      onChange={(value) => setFilter("scope", value === "workspace" ? "" : value)}
    />
  ) : null;
}
