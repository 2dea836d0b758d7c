import {
  type ColumnDef,
  type ColumnDefTemplate,
  getCoreRowModel,
  getSortedRowModel,
  type RowData,
  type SortingState,
  useReactTable,
} from "@tanstack/react-table";
import { type MouseEvent, type ReactNode, useState } from "react";
import { classes } from "./classes";
import { Loading } from "./EmptyState";
import styles from "./Table.module.css";

declare module "@tanstack/react-table" {
  interface ColumnMeta<TData extends RowData, TValue> {
    /** Numbers stand to the right. */
    numeric?: boolean;
    /** Left out on narrow pages. */
    optional?: boolean;
    /** As narrow as what it holds. */
    tight?: boolean;
  }
}

export type Column<Row extends RowData> = ColumnDef<Row, unknown>;

export interface DataTableProps<Row extends RowData> {
  /** What the table is of, for screen readers. */
  label: string;
  rows: readonly Row[] | undefined;
  columns: Column<Row>[];
  rowKey: (row: Row) => string;
  /** Shown where there are no rows. */
  empty: ReactNode;
  /** The whole row leads there by mouse; a link in one of its cells leads there by keyboard. */
  onOpen?: (row: Row) => void;
  sorting?: SortingState;
  /** Below the rows: "load more", or how many there are. */
  footer?: ReactNode;
}

const NONE: never[] = [];

/** Rows with columns that sort. `rows` undefined: they are being loaded. */
export function DataTable<Row extends RowData>(props: DataTableProps<Row>) {
  const { label, rows, columns, rowKey, empty, onOpen, footer } = props;
  const [sorting, setSorting] = useState<SortingState>(props.sorting ?? []);
  const table = useReactTable({
    data: (rows as Row[] | undefined) ?? NONE,
    columns,
    state: { sorting },
    onSortingChange: setSorting,
    getRowId: rowKey,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
    enableSortingRemoval: false,
  });
  if (rows === undefined) return <Loading />;
  if (rows.length === 0) return empty;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section className={styles["frame"]} aria-label={label} tabIndex={0}>
      <table className={styles["table"]}>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map((header) => {
                const sorted = header.column.getIsSorted();
                const meta = header.column.columnDef.meta;
                const text = drawn(header.column.columnDef.header, header.getContext());
                return (
                  <th
                    key={header.id}
                    scope="col"
                    className={cellClass(meta)}
                    aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}
                  >
                    {header.column.getCanSort() ? (
                      <button
                        type="button"
                        className={styles["sort"]}
                        onClick={header.column.getToggleSortingHandler()}
                      >
                        {text}
                        <span aria-hidden="true">{sorted === "asc" ? " ↑" : sorted === "desc" ? " ↓" : ""}</span>
                      </button>
                    ) : (
                      text
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr
              key={row.id}
              className={onOpen ? styles["opens"] : undefined}
              onClick={
                onOpen
                  ? (click) => {
                      if (opens(click)) onOpen(row.original);
                    }
                  : undefined
              }
            >
              {row.getVisibleCells().map((cell) => (
                <td key={cell.id} className={cellClass(cell.column.columnDef.meta)}>
                  {drawn(cell.column.columnDef.cell, cell.getContext())}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {footer ? <div className={styles["footer"]}>{footer}</div> : null}
    </section>
  );
}

/**
 * What a column has to show. It is called and is no component: pages make their columns anew at each render, a new
 * function would be a new component, and whatever a cell holds (focus, a dialog that it opened) would be lost.
 */
function drawn<Context extends object>(what: ColumnDefTemplate<Context> | undefined, context: Context): ReactNode {
  return typeof what === "function" ? what(context) : what;
}

/** Whether a click is on the row itself: not on what does something else, nor in a dialog that a cell opened. */
function opens({ target, currentTarget }: MouseEvent<HTMLTableRowElement>): boolean {
  const hit = target as Element;
  return currentTarget.contains(hit) && hit.closest("a, button, input, select, label") === null;
}

function cellClass(meta: { numeric?: boolean; optional?: boolean; tight?: boolean } | undefined): string {
  return classes(
    meta?.numeric && styles["numeric"],
    meta?.optional && styles["optional"],
    meta?.tight && styles["tight"],
  );
}
