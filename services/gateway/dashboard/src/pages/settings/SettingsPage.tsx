import { Link, useParams } from "@tanstack/react-router";
import { Facts, moment, Page } from "../../design";
import styles from "../../forms/forms.module.css";
import { useMe } from "../../session/SessionProvider";
import { ApiKeys } from "./ApiKeys";
import { AuditLog } from "./AuditLog";
import { Members } from "./Members";

const TABS = [
  { id: "me", name: "You" },
  { id: "members", name: "Members" },
  { id: "keys", name: "API keys" },
  { id: "audit", name: "Audit log" },
] as const;

/** Who one is, and for admins who else there is, their keys, and who did what. */
export function SettingsPage() {
  const { tab = "me" } = useParams({ strict: false }) as { tab?: string };
  return (
    <Page title="Settings">
      <nav className={styles["tabs"]} aria-label="Settings">
        {TABS.map(({ id, name }) => (
          <Link
            key={id}
            to="/settings/$tab"
            params={{ tab: id }}
            className={styles["tab"]}
            aria-current={id === tab ? "page" : undefined}
          >
            {name}
          </Link>
        ))}
      </nav>
      {tab === "members" ? <Members /> : tab === "keys" ? <ApiKeys /> : tab === "audit" ? <AuditLog /> : <You />}
    </Page>
  );
}

const ROLES: Record<string, string> = {
  viewer: "looks at everything but what admins see",
  responder: "acknowledges, resolves and silences",
  editor: "changes rules and channels as well",
  admin: "manages members and API keys as well",
  owner: "may everything here",
};

function You() {
  const me = useMe();
  return (
    <div className={styles["form"]}>
      <Facts
        facts={[
          ["Name", me.name],
          ["User id", <code key="id">{me.user_id}</code>],
          ["E-mail", me.email],
          ["Role", `${me.role}: ${ROLES[me.role] ?? ""}`],
          ["Workspace", `${me.workspace.name} (${me.workspace.slug})`],
          ["Operator", me.operator ? "yes: you see the installation's figures and jobs" : null],
          [
            "Signed in",
            `${me.way === "oidc" ? "by the identity provider" : "by a token"}, until ${moment(me.expires_at)}`,
          ],
        ]}
      />
    </div>
  );
}
