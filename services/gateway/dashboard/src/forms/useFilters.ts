import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

/** What a list is filtered by, kept in the page's address, so that it can be linked to. Empty: not filtered by it. */
export function useFilters<Name extends string>(
  names: readonly Name[],
): [Record<Name, string>, (name: Name, value: string) => void] {
  const search = useSearch({ strict: false }) as Record<string, unknown>;
  const navigate = useNavigate();
  const filters = Object.fromEntries(names.map((name) => [name, textOf(search[name])])) as Record<Name, string>;
  const set = useCallback(
    (name: Name, value: string) => {
      const next = (before: Record<string, unknown>) => ({ ...before, [name]: value === "" ? undefined : value });
      void navigate({ to: ".", search: next as never, replace: true });
    },
    [navigate],
  );
  return [filters, set];
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}
