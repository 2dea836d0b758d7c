import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  Link,
  lazyRouteComponent,
  type RouterHistory,
  redirect,
} from "@tanstack/react-router";
import { AlertsPage } from "../alerts/AlertsPage";
import { EmptyState, Loading, Page, Problem } from "../design";
import { Connection } from "../live/Connection";
import { searchOf } from "../live/filter";
import { LiveProvider } from "../live/LiveProvider";
import { Frame } from "./Frame";

/** The pages. Each but the first is a file of its own, loaded when one goes there (or points at its link). */
const root = createRootRoute({ component: Around, notFoundComponent: NotFound });

const alerts = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: AlertsPage,
  validateSearch: searchOf,
  beforeLoad: ({ location: { hash } }) => {
    // What e-mails and chat messages linked to once: /#alert=ID.
    const id = new URLSearchParams(hash).get("alert");
    if (id !== null) throw redirect({ to: "/alerts/$id", params: { id }, hash: "", replace: true });
  },
});
const alert = createRoute({
  getParentRoute: () => root,
  path: "/alerts/$id",
  component: lazyRouteComponent(() => import("../alerts/AlertPage"), "AlertPage"),
});
const rules = createRoute({
  getParentRoute: () => root,
  path: "/rules",
  component: lazyRouteComponent(() => import("../pages/rules/RulesPage"), "RulesPage"),
});
const rule = createRoute({
  getParentRoute: () => root,
  path: "/rules/$id",
  component: lazyRouteComponent(() => import("../pages/rules/RulePage"), "RulePage"),
});
const channels = createRoute({
  getParentRoute: () => root,
  path: "/channels",
  component: lazyRouteComponent(() => import("../pages/channels/ChannelsPage"), "ChannelsPage"),
});
const channel = createRoute({
  getParentRoute: () => root,
  path: "/channels/$id",
  component: lazyRouteComponent(() => import("../pages/channels/ChannelPage"), "ChannelPage"),
});
const deliveries = createRoute({
  getParentRoute: () => root,
  path: "/deliveries",
  component: lazyRouteComponent(() => import("../pages/deliveries/DeliveriesPage"), "DeliveriesPage"),
});
const silences = createRoute({
  getParentRoute: () => root,
  path: "/silences",
  component: lazyRouteComponent(() => import("../pages/silences/SilencesPage"), "SilencesPage"),
});
const newSilence = createRoute({
  getParentRoute: () => root,
  path: "/silences/new",
  component: lazyRouteComponent(() => import("../pages/silences/NewSilencePage"), "NewSilencePage"),
});
const insights = createRoute({
  getParentRoute: () => root,
  path: "/insights",
  component: lazyRouteComponent(() => import("../pages/insights/InsightsPage"), "InsightsPage"),
});
const insightsIndex = createRoute({
  getParentRoute: () => insights,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/insights/statistics", replace: true });
  },
});
const statistics = createRoute({
  getParentRoute: () => insights,
  path: "statistics",
  component: lazyRouteComponent(() => import("../pages/insights/Statistics"), "Statistics"),
});
const patterns = createRoute({
  getParentRoute: () => insights,
  path: "patterns",
  component: lazyRouteComponent(() => import("../pages/insights/Patterns"), "Patterns"),
});
const predictions = createRoute({
  getParentRoute: () => insights,
  path: "predictions",
  component: lazyRouteComponent(() => import("../pages/insights/Predictions"), "Predictions"),
});
const queues = createRoute({
  getParentRoute: () => root,
  path: "/queues",
  component: lazyRouteComponent(() => import("../pages/queues/QueuesPage"), "QueuesPage"),
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  component: lazyRouteComponent(() => import("../pages/jobs/JobsPage"), "JobsPage"),
});
const health = createRoute({
  getParentRoute: () => root,
  path: "/health",
  component: lazyRouteComponent(() => import("../pages/health/HealthPage"), "HealthPage"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("../pages/settings/SettingsPage"), "SettingsPage"),
});
const settingsTab = createRoute({
  getParentRoute: () => root,
  path: "/settings/$tab",
  component: lazyRouteComponent(() => import("../pages/settings/SettingsPage"), "SettingsPage"),
});

const tree = root.addChildren([
  alerts,
  alert,
  rules,
  rule,
  channels,
  channel,
  deliveries,
  silences,
  newSilence,
  insights.addChildren([insightsIndex, statistics, patterns, predictions]),
  queues,
  jobs,
  health,
  settings,
  settingsTab,
]);

export function makeRouter(history?: RouterHistory) {
  return createRouter({
    routeTree: tree,
    ...(history ? { history } : {}),
    defaultPreload: "intent",
    defaultPendingMs: 200,
    defaultPendingComponent: () => <Loading />,
    defaultErrorComponent: Broken,
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}

function Around() {
  return (
    <LiveProvider>
      <Frame status={<Connection />} />
    </LiveProvider>
  );
}

function NotFound() {
  return (
    <Page title="There is no such page">
      <EmptyState title="Nothing is at this address" action={<Link to="/">All alerts</Link>} />
    </Page>
  );
}

/** A page that could not be drawn, or not be loaded: after an update its file has another name. */
function Broken({ error, reset }: ErrorComponentProps) {
  const moved = error instanceof Error && /dynamically imported module|module script/i.test(error.message);
  return (
    <Page title="This page does not work">
      <Problem
        error={moved ? "The dashboard was updated, or the server cannot be reached." : error}
        retry={moved ? () => location.reload() : reset}
      />
    </Page>
  );
}
