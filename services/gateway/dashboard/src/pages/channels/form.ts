import { type MatcherRow, matchersOfRows, row } from "../../forms/matchers";
import type { Faults } from "../../forms/problems";
import type { Channel, Severity } from "../../rest/types";

export const KINDS = ["email", "slack", "webhook", "in_app"] as const;
export type Kind = (typeof KINDS)[number];

export const KIND_WORDS: Record<string, string> = {
  email: "E-mail",
  slack: "Slack",
  webhook: "Webhook",
  in_app: "In-app",
  apprise: "Apprise",
};

/** A channel while one edits it. Secrets are empty unless they are to be given anew. */
export interface ChannelForm {
  kind: Kind;
  name: string;
  /** One mailbox a line. */
  to: string;
  webhook_url: string;
  url: string;
  secret: string;
  everyone: boolean;
  /** One user id a line. */
  user_ids: string;
  min_severity: Severity;
  matchers: MatcherRow[];
  enabled: boolean;
}

export function emptyChannel(): ChannelForm {
  return {
    kind: "email",
    name: "",
    to: "",
    webhook_url: "",
    url: "",
    secret: "",
    everyone: true,
    user_ids: "",
    min_severity: "info",
    matchers: [],
    enabled: true,
  };
}

export function channelFormOf(channel: Channel): ChannelForm {
  const config = channel.config as { to?: string[]; url?: string; user_ids?: string[] | null };
  return {
    ...emptyChannel(),
    kind: channel.kind as Kind,
    name: channel.name,
    to: (config.to ?? []).join("\n"),
    url: config.url ?? "",
    everyone: (config.user_ids ?? null) === null,
    user_ids: (config.user_ids ?? []).join("\n"),
    min_severity: channel.min_severity,
    matchers: channel.matchers.map(({ name, op, value }) => row({ name, op, value })),
    enabled: channel.enabled,
  };
}

export interface ChannelBody {
  kind: Kind;
  name: string;
  config: Record<string, unknown>;
  min_severity: Severity;
  matchers: { name: string; op: "=" | "!=" | "=~" | "!~"; value: string }[];
  enabled: boolean;
}

/** The body to send, and what is wrong as far as one can tell here. A secret that is kept is left out. */
export function channelBody(form: ChannelForm, exists: boolean): { body: ChannelBody; faults: Faults } {
  const faults: Record<string, string> = {};
  if (form.name.trim() === "") faults["name"] = "Give it a name.";
  const config: Record<string, unknown> = {};
  switch (form.kind) {
    case "email":
      config["to"] = linesOf(form.to);
      if (linesOf(form.to).length === 0) faults["config.to"] = "Name one mailbox at least.";
      break;
    case "slack":
      if (form.webhook_url.trim() !== "") config["webhook_url"] = form.webhook_url.trim();
      else if (!exists) faults["config.webhook_url"] = "Paste the address of the incoming webhook.";
      break;
    case "webhook":
      config["url"] = form.url.trim();
      if (form.url.trim() === "") faults["config.url"] = "Say where to send to.";
      if (form.secret.trim() !== "") config["secret"] = form.secret.trim();
      break;
    case "in_app":
      config["user_ids"] = form.everyone ? null : linesOf(form.user_ids);
      if (!form.everyone && linesOf(form.user_ids).length === 0)
        faults["config.user_ids"] = "Name one member at least.";
      break;
  }
  const matchers = matchersOfRows(form.matchers);
  matchers.forEach(({ name }, index) => {
    if (name === "") faults[`matchers[${index}].name`] = "names no label.";
  });
  const { kind, min_severity, enabled } = form;
  return { body: { kind, name: form.name.trim(), config, min_severity, matchers, enabled }, faults };
}

/** Lines, or what commas part, without blanks. */
export function linesOf(text: string): string[] {
  return text
    .split(/[\n,;]+/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Where it goes, in a line. */
export function destination(channel: Channel): string {
  const config = channel.config as { to?: string[]; url?: string; host?: string; user_ids?: string[] | null };
  if (config.to) return config.to.join(", ");
  if (config.url) return config.url;
  if (config.host) return config.host;
  if (config.user_ids) return config.user_ids.join(", ");
  return "every member";
}
