import { Link, Outlet } from "@tanstack/react-router";
import { Page } from "../../design";
import styles from "../../forms/forms.module.css";

const TABS = [
  { to: "/insights/statistics", name: "Statistics" },
  { to: "/insights/patterns", name: "Patterns" },
  { to: "/insights/predictions", name: "Predictions" },
] as const;

/** What the alerts of the past tell: how they went, what repeats itself, what is to come. Each tab is a file of its own. */
export function InsightsPage() {
  return (
    <Page title="Insights">
      <nav className={styles["tabs"]} aria-label="Insights">
        {TABS.map(({ to, name }) => (
          <Link key={to} to={to} className={styles["tab"]} activeProps={{ "aria-current": "page" }}>
            {name}
          </Link>
        ))}
      </nav>
      <Outlet />
    </Page>
  );
}
