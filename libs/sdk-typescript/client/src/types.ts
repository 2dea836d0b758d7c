/** The API's nouns, by their own names; the rest is in `components["schemas"]`. */
import type { components } from "./openapi.generated.ts";

type Schemas = components["schemas"];

export type Alert = Schemas["Alert"];
export type AlertPage = Schemas["AlertPage"];
export type AlertEvent = Schemas["Event"];
export type ApiKey = Schemas["ApiKey"];
export type AuditRecord = Schemas["AuditRecord"];
export type Channel = Schemas["Channel"];
export type ChannelDraft = Schemas["ChannelDraft"];
export type Delivery = Schemas["Delivery"];
export type Framework = Schemas["Framework"];
export type FrameworkDraft = Schemas["FrameworkDraft"];
export type Job = Schemas["Job"];
export type Me = Schemas["Me"];
export type Member = Schemas["Member"];
export type Notification = Schemas["Notification"];
export type ProblemDetails = Schemas["Problem"];
export type Quarantined = Schemas["Quarantined"];
export type Queue = Schemas["Queue"];
export type Reason = Schemas["Reason"];
export type Role = Schemas["Role"];
export type Rule = Schemas["Rule"];
export type RuleDraft = Schemas["RuleDraft"];
export type Severity = Schemas["Severity"];
export type Status = Schemas["Status"];
export type TimelineEntry = Schemas["TimelinePage"]["items"][number];
export type TimelinePage = Schemas["TimelinePage"];
export type Trigger = Schemas["Trigger"];
