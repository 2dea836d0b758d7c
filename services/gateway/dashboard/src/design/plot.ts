import type uPlot from "uplot";

const probe = document.createElement("span");

/** What a token comes to in this theme: a canvas knows no custom properties, nor light-dark(). */
export function colour(token: string): string {
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** An axis in the colours of this theme. */
export function axis(): uPlot.Axis {
  const line = colour("--line");
  return {
    stroke: colour("--muted"),
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
    font: "12px system-ui",
  };
}
