import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import {
  Checkbox,
  type Column,
  DataTable,
  day,
  EmptyState,
  FormDialog,
  Problem,
  Select,
  TextField,
  useToast,
} from "../../design";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { faultOf, faultsIn } from "../../forms/problems";
import { Skeleton } from "../../forms/Skeleton";
import { answered, everyPage, from, PAGE } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Member, Role } from "../../rest/types";
import { useMe } from "../../session/SessionProvider";
import { mayAs } from "../../session/session";
import { useApi } from "../../session/useApi";
import { rolesToGive } from "./roles";

/** Who belongs to the workspace. */
export function Members() {
  const api = useApi();
  const me = useMe();
  const say = useToast();
  const stale = useStale();
  const { data, error, refetch } = useQuery({
    queryKey: ["members"],
    enabled: me.may("admin"),
    queryFn: () =>
      everyPage((cursor) =>
        answered(api.GET("/api/v1/members", { params: { query: { limit: PAGE, ...from(cursor) } } })),
      ),
  });
  const [edited, setEdited] = useState<Member | "new" | null>(null);
  const [removed, setRemoved] = useState<Member | null>(null);
  const [keysToo, setKeysToo] = useState(false);
  if (!me.may("admin"))
    return <EmptyState title="Admins see the members">Ask one to add somebody, or to change a role.</EmptyState>;

  const above = (member: Member) => (mayAs(me.role, member.role) ? null : "Their role is above yours. Ask an owner.");
  const columns: Column<Member>[] = [
    {
      header: "Member",
      accessorKey: "name",
      cell: ({ row: { original: member } }) => (
        <div className={styles["stack"]}>
          <span>
            {member.name}
            {member.user_id === me.user_id ? <span className={styles["muted"]}> (you)</span> : null}
          </span>
          <span className={styles["hint"]}>{member.email ?? member.user_id}</span>
        </div>
      ),
    },
    { header: "Role", accessorKey: "role", meta: { tight: true } },
    {
      header: "Since",
      accessorKey: "created_at",
      meta: { optional: true, tight: true },
      cell: ({ row: { original } }) => day(original.created_at),
    },
    {
      id: "actions",
      header: () => <span className="visually-hidden">Actions</span>,
      enableSorting: false,
      meta: { tight: true },
      cell: ({ row: { original: member } }) => (
        <span className={`${styles["buttons"]} ${styles["end"]}`}>
          <Guarded
            needs="admin"
            size="small"
            denied={above(member)}
            aria-label={`Change ${member.name}`}
            onClick={() => setEdited(member)}
          >
            Change
          </Guarded>
          <Guarded
            needs="admin"
            size="small"
            denied={above(member)}
            aria-label={`Remove ${member.name}`}
            onClick={() => setRemoved(member)}
          >
            Remove…
          </Guarded>
        </span>
      ),
    },
  ];

  const remove = async () => {
    if (removed === null) return;
    const params = { path: { user_id: removed.user_id }, query: { revoke_keys: keysToo } };
    await answered(api.DELETE("/api/v1/members/{user_id}", { params }));
    await stale("members", "api-keys");
    say(`${removed.name} is no member any more.`);
  };

  return (
    <>
      <div className={styles["buttons"]}>
        <Guarded needs="admin" kind="primary" onClick={() => setEdited("new")}>
          Add a member
        </Guarded>
      </div>
      {error && data === undefined ? (
        <Problem error={error} retry={() => void refetch()} />
      ) : data === undefined ? (
        <Skeleton />
      ) : (
        <DataTable
          label="Members"
          rows={data}
          columns={columns}
          rowKey={({ user_id }) => user_id}
          empty={<EmptyState title="There is nobody" />}
        />
      )}
      {edited === null ? null : (
        <MemberDialog
          key={edited === "new" ? "new" : edited.user_id}
          member={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
        />
      )}
      <FormDialog
        open={removed !== null}
        onClose={() => {
          setRemoved(null);
          setKeysToo(false);
        }}
        title={`Remove ${removed?.name}?`}
        description="Their tokens and sessions are refused within a minute, and their live connections are closed."
        submit="Remove"
        danger
        onSubmit={remove}
      >
        <Checkbox
          label="Revoke the API keys that they made, too"
          hint="Otherwise programs that use them go on."
          checked={keysToo}
          onChange={(event) => setKeysToo(event.target.checked)}
        />
      </FormDialog>
    </>
  );
}

function MemberDialog({ member, onClose }: { member: Member | null; onClose: () => void }) {
  const api = useApi();
  const me = useMe();
  const say = useToast();
  const stale = useStale();
  const [userId, setUserId] = useState(member?.user_id ?? "");
  const [name, setName] = useState(member?.name ?? "");
  const [email, setEmail] = useState(member?.email ?? "");
  const [role, setRole] = useState<Role>(member?.role ?? "responder");
  const [error, setError] = useState<unknown>(null);
  const faults = faultsIn(error);
  const save = async () => {
    try {
      if (member === null) {
        const body = { user_id: userId.trim(), role, email: email.trim() || null, name: name.trim() || null };
        await answered(api.POST("/api/v1/members", { body }));
      } else {
        const params = { path: { user_id: member.user_id } };
        const body = {
          ...(role === member.role ? {} : { role }),
          ...(name.trim() === member.name || name.trim() === "" ? {} : { name: name.trim() }),
          ...(email.trim() === (member.email ?? "") ? {} : { email: email.trim() || null }),
        };
        await answered(api.PATCH("/api/v1/members/{user_id}", { params, body }));
      }
    } catch (failure) {
      setError(failure);
      throw failure;
    }
    await stale("members");
    say(
      member === null
        ? `${name.trim() || userId} is added. They get in with their next token, or by signing in.`
        : "Saved.",
    );
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={member === null ? "Add a member" : `Change ${member.name}`}
      submit={member === null ? "Add" : "Save"}
      onSubmit={save}
    >
      {member === null ? (
        <TextField
          label="User id"
          required
          maxLength={255}
          hint="The `sub` of their tokens, or any name where they sign in by e-mail address."
          value={userId}
          error={faultOf(faults, "user_id")}
          onChange={(event) => setUserId(event.target.value)}
        />
      ) : null}
      <TextField
        label="Name"
        maxLength={200}
        value={name}
        error={faultOf(faults, "name")}
        onChange={(event) => setName(event.target.value)}
      />
      <TextField
        label="E-mail"
        type="email"
        maxLength={320}
        hint="An identity provider's verified address lets them sign in."
        value={email}
        error={faultOf(faults, "email")}
        onChange={(event) => setEmail(event.target.value)}
      />
      <Select
        label="Role"
        value={role}
        error={faultOf(faults, "role")}
        options={rolesToGive(me.role).map((one) => ({ value: one, label: one }))}
        onChange={setRole}
      />
    </FormDialog>
  );
}
