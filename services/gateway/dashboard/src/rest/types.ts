import type { components } from "@convex-alerts/client";

type Schemas = components["schemas"];

export type ApiKey = Schemas["ApiKey"];
export type AuditRecord = Schemas["AuditRecord"];
export type Attempt = Schemas["Attempt"];
export type Channel = Schemas["Channel"];
export type ChannelDraft = Schemas["ChannelDraft"];
export type ChannelKind = Schemas["ChannelKind"];
export type Delivery = Schemas["Delivery"];
export type DeliveryStatus = Schemas["DeliveryStatus"];
export type Framework = Schemas["Framework"];
export type Job = Schemas["Job"];
export type JobRun = Schemas["JobRun"];
export type Latency = Schemas["Latency"];
export type Member = Schemas["Member"];
export type NewApiKey = Schemas["NewApiKey"];
export type Quarantined = Schemas["Quarantined"];
export type Queue = Schemas["Queue"];
export type QueueName = Schemas["QueueName"];
export type Pattern = Schemas["Pattern"];
export type PatternPreview = Schemas["PatternPreview"];
export type Role = Schemas["Role"];
export type Rule = Schemas["Rule"];
export type Scope = Schemas["Scope"];
export type SelfAuditReport = Schemas["SelfAudit"];
export type Silence = Schemas["Silence"];
export type Severity = Schemas["Severity"];
