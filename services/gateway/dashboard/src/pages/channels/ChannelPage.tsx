import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import {
  Button,
  Checkbox,
  Dialog,
  FormDialog,
  Page,
  Problem,
  Select,
  TextArea,
  TextField,
  TimeAgo,
  useToast,
} from "../../design";
import { Faulty } from "../../forms/Faulty";
import styles from "../../forms/forms.module.css";
import { Guarded } from "../../forms/Guarded";
import { MatchersField } from "../../forms/MatchersField";
import { faultOf } from "../../forms/problems";
import { Secret } from "../../forms/Secret";
import { Skeleton } from "../../forms/Skeleton";
import { useSubmission } from "../../forms/useSubmission";
import { answered } from "../../rest/answered";
import { useStale } from "../../rest/nouns";
import type { Channel } from "../../rest/types";
import { useApi } from "../../session/useApi";
import { type ChannelForm, channelBody, channelFormOf, emptyChannel, KIND_WORDS, KINDS, type Kind } from "./form";
import { TestDialog } from "./TestDialog";

/** One channel to change; `/channels/new` makes one. */
export function ChannelPage() {
  const api = useApi();
  const { id = "new" } = useParams({ strict: false });
  const found = useQuery({
    queryKey: ["channels", id],
    enabled: id !== "new",
    queryFn: () => answered(api.GET("/api/v1/channels/{channel_id}", { params: { path: { channel_id: id } } })),
  });
  if (id !== "new" && found.data === undefined) {
    return (
      <Page title="Channel" back={<Link to="/channels">Channels</Link>}>
        {found.error ? <Problem error={found.error} retry={() => void found.refetch()} /> : <Skeleton />}
      </Page>
    );
  }
  return <Editor key={id} channel={id === "new" ? undefined : found.data} />;
}

const ABOUT: Record<Kind, string> = {
  email: "One e-mail to all of them, in which each sees the others.",
  slack: "An incoming webhook of Slack, or of Mattermost or Discord (with /slack at its end).",
  webhook: "A POST, signed as Standard Webhooks say.",
  in_app: "The inbox of members, and a frame to those who are there.",
};

function Editor({ channel }: { channel: Channel | undefined }) {
  const api = useApi();
  const say = useToast();
  const stale = useStale();
  const navigate = useNavigate();
  const exists = channel !== undefined;
  const [form, setForm] = useState<ChannelForm>(() => (channel ? channelFormOf(channel) : emptyChannel()));
  const [testing, setTesting] = useState<Channel | null>(null);
  const [deleting, setDeleting] = useState(false);
  const [secret, setSecret] = useState<{ text: string; channel: Channel } | null>(null);

  const { body, faults } = channelBody(form, exists);
  const { element, busy, error, shown, onSubmit, changed } = useSubmission(faults);
  const fault = (field: string) => faultOf(shown, field);
  const change = (part: Partial<ChannelForm>) => {
    setForm((before) => ({ ...before, ...part }));
    changed();
  };

  const save = async () => {
    if (channel !== undefined) {
      const { kind: _, ...changes } = body;
      const params = { path: { channel_id: channel.id } };
      const saved = await answered(api.PATCH("/api/v1/channels/{channel_id}", { params, body: changes }));
      await stale("channels");
      setForm(channelFormOf(saved));
      say(`${saved.name} is saved.`);
    } else {
      const { generated_secret, ...made } = await answered(
        api.POST("/api/v1/channels", { body: body as typeof body & { config: { url: string } } }),
      );
      await stale("channels");
      if (generated_secret) {
        setSecret({ text: generated_secret, channel: made as Channel });
        return;
      }
      say(`${made.name} is made. Press Test to see whether it works.`);
      await navigate({ to: "/channels/$id", params: { id: made.id }, replace: true });
    }
  };
  const remove = async () => {
    if (channel === undefined) return;
    await answered(api.DELETE("/api/v1/channels/{channel_id}", { params: { path: { channel_id: channel.id } } }));
    await navigate({ to: "/channels" });
    await stale("channels");
    say(`${channel.name} is deleted.`);
  };

  return (
    <Page
      title={channel?.name ?? "New channel"}
      back={<Link to="/channels">Channels</Link>}
      about={
        channel === undefined ? undefined : (
          <>
            {KIND_WORDS[channel.kind] ?? channel.kind}, changed <TimeAgo time={channel.updated_at} suffix=" ago" />
          </>
        )
      }
      actions={
        channel === undefined ? null : (
          <>
            <Guarded needs="editor" onClick={() => setTesting(channel)}>
              Test
            </Guarded>
            <Guarded needs="editor" onClick={() => setDeleting(true)}>
              Delete…
            </Guarded>
          </>
        )
      }
    >
      <form ref={element} className={styles["form"]} onSubmit={onSubmit(save)} noValidate>
        <div className={styles["row"]}>
          <Select
            label="Kind"
            value={form.kind}
            disabled={exists}
            hint={ABOUT[form.kind]}
            error={fault("kind")}
            options={KINDS.map((kind) => ({ value: kind, label: KIND_WORDS[kind] ?? kind }))}
            onChange={(kind) => change({ kind })}
          />
          <TextField
            label="Name"
            placeholder="On call"
            maxLength={200}
            value={form.name}
            error={fault("name")}
            onChange={(event) => change({ name: event.target.value })}
          />
        </div>
        <Config form={form} change={change} fault={fault} exists={exists} />
        <div className={styles["row"]}>
          <Select
            label="From severity"
            value={form.min_severity}
            error={fault("min_severity")}
            options={(["info", "warning", "error", "critical"] as const).map((one) => ({
              value: one,
              label: one === "critical" ? "critical alone" : `${one} and worse`,
            }))}
            onChange={(min_severity) => change({ min_severity })}
          />
        </div>
        <MatchersField
          legend="Matchers"
          rows={form.matchers}
          faults={shown}
          hint="Alerts whose labels fit all of them are sent here. Without matchers all are."
          onChange={(matchers) => change({ matchers })}
        />
        <Checkbox
          label="On"
          hint="Nothing is sent to a channel that is off."
          checked={form.enabled}
          onChange={(event) => change({ enabled: event.target.checked })}
        />
        <Faulty error={error} faults={shown} fields={FIELDS} />
        <div className={styles["buttons"]}>
          <Guarded needs="editor" type="submit" kind="primary" busy={busy}>
            {exists ? "Save" : "Make the channel"}
          </Guarded>
        </div>
      </form>
      {testing ? <TestDialog channel={testing} onClose={() => setTesting(null)} /> : null}
      <FormDialog
        open={deleting}
        onClose={() => setDeleting(false)}
        title={`Delete ${channel?.name}?`}
        description="Nothing is sent to it any more. Its deliveries stay in the ledger."
        submit="Delete"
        danger
        onSubmit={remove}
      />
      <Dialog
        open={secret !== null}
        onClose={() =>
          secret && void navigate({ to: "/channels/$id", params: { id: secret.channel.id }, replace: true })
        }
        title="The webhook's secret"
        description="What you receive is signed with it. It is shown now and never again."
        actions={
          <Button
            kind="primary"
            onClick={() =>
              secret && void navigate({ to: "/channels/$id", params: { id: secret.channel.id }, replace: true })
            }
          >
            I have kept it
          </Button>
        }
      >
        {secret ? <Secret text={secret.text} label="Secret" /> : null}
      </Dialog>
    </Page>
  );
}

const FIELDS = [
  "kind",
  "name",
  "config.to",
  "config.webhook_url",
  "config.url",
  "config.secret",
  "config.user_ids",
  "min_severity",
  "matchers",
];

function Config(props: {
  form: ChannelForm;
  change: (part: Partial<ChannelForm>) => void;
  fault: (field: string) => string | undefined;
  exists: boolean;
}) {
  const { form, change, fault, exists } = props;
  const kept = exists ? "It is stored and shown to nobody. Leave this empty to keep it." : undefined;
  switch (form.kind) {
    case "email":
      return (
        <TextArea
          label="Mailboxes"
          hint="One a line, 50 at most."
          placeholder={"on-call@example.com"}
          value={form.to}
          error={fault("config.to")}
          onChange={(event) => change({ to: event.target.value })}
        />
      );
    case "slack":
      return (
        <TextField
          label="Address of the incoming webhook"
          type="password"
          autoComplete="new-password"
          spellCheck={false}
          hint={kept ?? "Whoever has it can post, so it is stored encrypted and never shown."}
          placeholder="https://hooks.slack.com/services/…"
          value={form.webhook_url}
          error={fault("config.webhook_url")}
          onChange={(event) => change({ webhook_url: event.target.value })}
        />
      );
    case "webhook":
      return (
        <>
          <TextField
            label="Address"
            type="url"
            spellCheck={false}
            placeholder="https://example.com/hook"
            value={form.url}
            error={fault("config.url")}
            onChange={(event) => change({ url: event.target.value })}
          />
          <TextField
            label="Secret"
            type="password"
            autoComplete="new-password"
            spellCheck={false}
            hint={kept ?? "16 to 64 bytes in base64; leave it empty to have one made."}
            placeholder="whsec_…"
            value={form.secret}
            error={fault("config.secret")}
            onChange={(event) => change({ secret: event.target.value })}
          />
        </>
      );
    case "in_app":
      return (
        <>
          <Checkbox
            label="Every member"
            checked={form.everyone}
            onChange={(event) => change({ everyone: event.target.checked })}
          />
          {form.everyone ? null : (
            <TextArea
              label="Members"
              hint="User ids, one a line; admins see them under Settings."
              value={form.user_ids}
              error={fault("config.user_ids")}
              onChange={(event) => change({ user_ids: event.target.value })}
            />
          )}
        </>
      );
  }
}
