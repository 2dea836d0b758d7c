// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { createPortal } from "react-dom";
import { afterEach, expect, test, vi } from "vitest";
import { DataTable } from "../src/design/DataTable";

afterEach(cleanup);

function Asks() {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setAsking(true)}>
        Turn off
      </button>
      {asking ? createPortal(<p>Really?</p>, document.body) : null}
    </>
  );
}

/** Its columns are made anew at each render, as pages do. */
function Rules({ name, onOpen = () => {} }: { name: string; onOpen?: () => void }) {
  return (
    <DataTable
      label="Rules"
      rows={[{ id: "1", name }]}
      columns={[
        { header: "Rule", accessorKey: "name" },
        { header: () => <em>On</em>, id: "on", cell: () => <Asks /> },
      ]}
      rowKey={({ id }) => id}
      empty="none"
      onOpen={onOpen}
    />
  );
}

test("what a cell holds outlives news of its row", () => {
  const page = render(<Rules name="slow" />);
  const button = screen.getByRole("button", { name: "Turn off" });
  button.focus();
  fireEvent.click(button);
  page.rerender(<Rules name="slower" />);
  expect(screen.getByText("slower")).toBeDefined();
  expect(screen.getByText("Really?")).toBeDefined();
  expect(document.activeElement).toBe(button);
});

test("a click opens the row, one in a dialog of its cell or on a button does not", () => {
  const open = vi.fn();
  render(<Rules name="slow" onOpen={open} />);
  fireEvent.click(screen.getByRole("button", { name: "Turn off" }));
  fireEvent.click(screen.getByText("Really?"));
  expect(open).not.toHaveBeenCalled();
  fireEvent.click(screen.getByText("slow"));
  expect(open).toHaveBeenCalledOnce();
});
