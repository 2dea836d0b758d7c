import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import {
  Button,
  Checkbox,
  type Column,
  DataTable,
  Dialog,
  day,
  EmptyState,
  Field,
  FormDialog,
  Problem,
  Select,
  StatusBadge,
  TextField,
  TimeAgo,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { faultOf, faultsIn } from "../../forms/problems";
import { Secret } from "../../forms/Secret";
import { Skeleton } from "../../forms/Skeleton";
import { answered, everyPage, from, PAGE } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { ApiKey, NewApiKey, Role, Scope } from "../../rest/types";
import { useMe } from "../../session/SessionProvider";
import { mayAs } from "../../session/session";
import { useApi } from "../../session/useApi";
import { rolesToGive } from "./roles";

/** Credentials of programs. */
export function ApiKeys() {
  const api = useApi();
  const { may, role } = useMe();
  const say = useToast();
  const stale = useStale();
  const [revokedToo, setRevokedToo] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ["api-keys", revokedToo],
    enabled: may("admin"),
    queryFn: () =>
      everyPage((cursor) =>
        answered(
          api.GET("/api/v1/api-keys", {
            params: { query: { limit: PAGE, ...from(cursor), ...(revokedToo ? {} : { revoked: false }) } },
          }),
        ),
      ),
  });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<NewApiKey | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  if (!may("admin"))
    return <EmptyState title="Admins see the API keys">Ask one to make a key for your program.</EmptyState>;

  const columns: Column<ApiKey>[] = [
    {
      header: "Key",
      accessorKey: "name",
      cell: ({ row: { original: key } }) => (
        <div className={styles["stack"]}>
          <span>{key.name}</span>
          <span className={styles["hint"]}>
            <code>{key.prefix}…</code> made by {key.created_by}
          </span>
        </div>
      ),
    },
    {
      header: "May",
      enableSorting: false,
      cell: ({ row: { original: key } }) =>
        key.scopes.length === 0 ? key.role : `${key.role}, ${key.scopes.join(" and ")} alone`,
    },
    {
      header: "Last used",
      accessorKey: "last_used_at",
      meta: { optional: true },
      cell: ({ row: { original: key } }) =>
        key.last_used_at ? (
          <TimeAgo time={key.last_used_at} suffix=" ago" />
        ) : (
          <span className={styles["muted"]}>never</span>
        ),
    },
    {
      header: "Ends",
      meta: { optional: true },
      enableSorting: false,
      cell: ({ row: { original: key } }) =>
        key.revoked_at ? <StatusBadge status="revoked" /> : key.expires_at ? day(key.expires_at) : "when it is revoked",
    },
    {
      id: "actions",
      header: () => <span className="visually-hidden">Actions</span>,
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original: key } }) =>
        key.revoked_at ? null : (
          <Guarded
            needs="admin"
            size="small"
            denied={mayAs(role, key.role) ? null : "Its role is above yours. Ask an owner."}
            aria-label={`Revoke ${key.name}`}
            onClick={() => setRevoking(key)}
          >
            Revoke…
          </Guarded>
        ),
    },
  ];

  return (
    <>
      <div className={styles["buttons"]}>
        <Guarded needs="admin" kind="primary" onClick={() => setMaking(true)}>
          New key
        </Guarded>
        <Checkbox
          label="Revoked ones, too"
          checked={revokedToo}
          onChange={(event) => setRevokedToo(event.target.checked)}
        />
      </div>
      {error && data === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label="API keys"
          rows={data}
          columns={columns}
          rowKey={({ id }) => id}
          empty={
            <EmptyState title="There are no keys">
              A program sends one as its bearer token. Make one for each program, with no more than it needs.
            </EmptyState>
          }
        />
      )}
      {making ? (
        <KeyDialog
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setMade(key);
            void stale("api-keys");
          }}
        />
      ) : null}
      <Dialog
        open={made !== null}
        onClose={() => setMade(null)}
        title={`The key ${made?.name}`}
        description="It is shown now and never again. Send it as: Authorization: Bearer …"
        actions={
          <Button kind="primary" onClick={() => setMade(null)}>
            I have kept it
          </Button>
        }
      >
        {made ? <Secret text={made.key} label="API key" /> : null}
      </Dialog>
      <FormDialog
        open={revoking !== null}
        onClose={() => setRevoking(null)}
        title={`Revoke ${revoking?.name}?`}
        description="It is refused within a minute, for good, and its live connections are closed."
        submit="Revoke"
        danger
        onSubmit={async () => {
          if (revoking === null) return;
          await answered(api.DELETE("/api/v1/api-keys/{key_id}", { params: { path: { key_id: revoking.id } } }));
          await stale("api-keys");
          say(`${revoking.name} is revoked.`);
        }}
      />
    </>
  );
}

const SCOPES: readonly { scope: Scope; about: string }[] = [
  { scope: "ingest", about: "sends triggers, observations and other tools' alerts" },
  { scope: "read", about: "looks, and follows live" },
  { scope: "respond", about: "acts on alerts" },
  { scope: "configure", about: "changes frameworks, rules and channels" },
  { scope: "admin", about: "keys and members" },
];
const TERMS: readonly { value: string; label: string }[] = [
  { value: "", label: "never" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
];
const DAY = 86_400_000;

function KeyDialog({ onClose, onMade }: { onClose: () => void; onMade: (key: NewApiKey) => void }) {
  const api = useApi();
  const me = useMe();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("editor");
  const [scopes, setScopes] = useState<readonly Scope[]>(["ingest"]);
  const [term, setTerm] = useState("");
  const [error, setError] = useState<unknown>(null);
  const faults = faultsIn(error);
  const make = async () => {
    try {
      const expires_at = term === "" ? null : new Date(Date.now() + Number(term) * DAY).toISOString();
      onMade(
        await answered(
          api.POST("/api/v1/api-keys", { body: { name: name.trim(), role, scopes: [...scopes], expires_at } }),
        ),
      );
    } catch (failure) {
      setError(failure);
      throw failure;
    }
  };
  return (
    <FormDialog open onClose={onClose} title="New API key" submit="Make the key" onSubmit={make}>
      <TextField
        label="What it is for"
        required
        maxLength={200}
        placeholder="Prometheus in production"
        value={name}
        error={faultOf(faults, "name")}
        onChange={(event) => setName(event.target.value)}
      />
      <Select
        label="Role"
        value={role}
        error={faultOf(faults, "role")}
        options={rolesToGive(me.role).map((one) => ({ value: one, label: one }))}
        onChange={setRole}
      />
      <Field label="Only to" error={faultOf(faults, "scopes")} hint="None ticked: all that the role may.">
        {() => (
          <div className={styles["choices"]}>
            {SCOPES.map(({ scope, about }) => (
              <Checkbox
                key={scope}
                label={scope}
                hint={about}
                checked={scopes.includes(scope)}
                onChange={(event) =>
                  setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))
                }
              />
            ))}
          </div>
        )}
      </Field>
      <Select label="Ends" value={term} error={faultOf(faults, "expires_at")} options={TERMS} onChange={setTerm} />
    </FormDialog>
  );
}
