// Written by tools/protos.mjs from google/rpc/error_details.proto. Do not edit.
import type { Codec, Init } from "../codec.ts";
import { codec } from "../codec.ts";
import { type WireReader } from "../wire-reader.ts";
import type { WireWriter } from "../wire-writer.ts";
import { Duration, readDuration, writeDuration } from "./duration.ts";

/** `google.rpc.ErrorInfo` */
export interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: ReadonlyMap<string, string>;
}
export const ErrorInfo: Codec<ErrorInfo> = /* @__PURE__ */ codec("google.rpc.ErrorInfo", writeErrorInfo, readErrorInfo);

export function writeErrorInfo(writer: WireWriter, message: Init<ErrorInfo>): void {
  if (message.metadata !== undefined) for (const [key, value] of [...message.metadata].reverse()) {
    const start = writer.length;
    writer.string(18, value);
    writer.string(10, key);
    writer.close(26, start);
  }
  if (message.domain) writer.string(18, message.domain);
  if (message.reason) writer.string(10, message.reason);
}

export function readErrorInfo(reader: WireReader): ErrorInfo {
  let reason = "";
  let domain = "";
  const metadata = new Map<string, string>();
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        reason = reader.string("reason");
        break;
      case 18:
        domain = reader.string("domain");
        break;
      case 26:
        {
          const outer = reader.enter("metadata");
          let key = "";
          let value: string | undefined;
          for (let inner = reader.next(); inner !== 0; inner = reader.next()) {
            switch (inner) {
              case 10:
                key = reader.string("key");
                break;
              case 18:
                value = reader.string("value");
                break;
              default:
                reader.skip();
            }
          }
          reader.leave(outer);
          metadata.set(key, value ?? "");
        }
        break;
      default:
        reader.skip();
    }
  }
  return { reason, domain, metadata };
}

/** `google.rpc.RetryInfo` */
export interface RetryInfo {
  readonly retryDelay: Duration | undefined;
}
export const RetryInfo: Codec<RetryInfo> = /* @__PURE__ */ codec("google.rpc.RetryInfo", writeRetryInfo, readRetryInfo);

export function writeRetryInfo(writer: WireWriter, message: Init<RetryInfo>): void {
  if (message.retryDelay !== undefined) {
    const length = writer.length;
    writeDuration(writer, message.retryDelay);
    writer.close(10, length);
  }
}

export function readRetryInfo(reader: WireReader): RetryInfo {
  let retryDelay: Duration | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("retry_delay");
          retryDelay = readDuration(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { retryDelay };
}

/** `google.rpc.DebugInfo` */
export interface DebugInfo {
  readonly stackEntries: readonly string[];
  readonly detail: string;
}
export const DebugInfo: Codec<DebugInfo> = /* @__PURE__ */ codec("google.rpc.DebugInfo", writeDebugInfo, readDebugInfo);

export function writeDebugInfo(writer: WireWriter, message: Init<DebugInfo>): void {
  if (message.detail) writer.string(18, message.detail);
  if (message.stackEntries !== undefined) for (let index = message.stackEntries.length - 1; index >= 0; index--) writer.string(10, message.stackEntries[index]!);
}

export function readDebugInfo(reader: WireReader): DebugInfo {
  const stackEntries: string[] = [];
  let detail = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        stackEntries.push(reader.string("stack_entries"));
        break;
      case 18:
        detail = reader.string("detail");
        break;
      default:
        reader.skip();
    }
  }
  return { stackEntries, detail };
}

/** `google.rpc.QuotaFailure` */
export interface QuotaFailure {
  readonly violations: readonly QuotaFailureViolation[];
}
export const QuotaFailure: Codec<QuotaFailure> = /* @__PURE__ */ codec("google.rpc.QuotaFailure", writeQuotaFailure, readQuotaFailure);

export function writeQuotaFailure(writer: WireWriter, message: Init<QuotaFailure>): void {
  if (message.violations !== undefined) for (let index = message.violations.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeQuotaFailureViolation(writer, message.violations[index]!);
    writer.close(10, length);
  }
}

export function readQuotaFailure(reader: WireReader): QuotaFailure {
  const violations: QuotaFailureViolation[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("violations");
          violations.push(readQuotaFailureViolation(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { violations };
}

/** `google.rpc.QuotaFailure.Violation` */
export interface QuotaFailureViolation {
  readonly subject: string;
  readonly description: string;
  readonly apiService: string;
  readonly quotaMetric: string;
  readonly quotaId: string;
  readonly quotaDimensions: ReadonlyMap<string, string>;
  readonly quotaValue: number;
  readonly futureQuotaValue: number | undefined;
}
export const QuotaFailureViolation: Codec<QuotaFailureViolation> = /* @__PURE__ */ codec("google.rpc.QuotaFailure.Violation", writeQuotaFailureViolation, readQuotaFailureViolation);

export function writeQuotaFailureViolation(writer: WireWriter, message: Init<QuotaFailureViolation>): void {
  if (message.futureQuotaValue !== undefined) writer.int64(64, message.futureQuotaValue);
  if (message.quotaValue) writer.int64(56, message.quotaValue);
  if (message.quotaDimensions !== undefined) for (const [key, value] of [...message.quotaDimensions].reverse()) {
    const start = writer.length;
    writer.string(18, value);
    writer.string(10, key);
    writer.close(50, start);
  }
  if (message.quotaId) writer.string(42, message.quotaId);
  if (message.quotaMetric) writer.string(34, message.quotaMetric);
  if (message.apiService) writer.string(26, message.apiService);
  if (message.description) writer.string(18, message.description);
  if (message.subject) writer.string(10, message.subject);
}

export function readQuotaFailureViolation(reader: WireReader): QuotaFailureViolation {
  let subject = "";
  let description = "";
  let apiService = "";
  let quotaMetric = "";
  let quotaId = "";
  const quotaDimensions = new Map<string, string>();
  let quotaValue: number = 0;
  let futureQuotaValue: number | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        subject = reader.string("subject");
        break;
      case 18:
        description = reader.string("description");
        break;
      case 26:
        apiService = reader.string("api_service");
        break;
      case 34:
        quotaMetric = reader.string("quota_metric");
        break;
      case 42:
        quotaId = reader.string("quota_id");
        break;
      case 50:
        {
          const outer = reader.enter("quota_dimensions");
          let key = "";
          let value: string | undefined;
          for (let inner = reader.next(); inner !== 0; inner = reader.next()) {
            switch (inner) {
              case 10:
                key = reader.string("key");
                break;
              case 18:
                value = reader.string("value");
                break;
              default:
                reader.skip();
            }
          }
          reader.leave(outer);
          quotaDimensions.set(key, value ?? "");
        }
        break;
      case 56:
        quotaValue = reader.int64("quota_value");
        break;
      case 64:
        futureQuotaValue = reader.int64("future_quota_value");
        break;
      default:
        reader.skip();
    }
  }
  return { subject, description, apiService, quotaMetric, quotaId, quotaDimensions, quotaValue, futureQuotaValue };
}

/** `google.rpc.PreconditionFailure` */
export interface PreconditionFailure {
  readonly violations: readonly PreconditionFailureViolation[];
}
export const PreconditionFailure: Codec<PreconditionFailure> = /* @__PURE__ */ codec("google.rpc.PreconditionFailure", writePreconditionFailure, readPreconditionFailure);

export function writePreconditionFailure(writer: WireWriter, message: Init<PreconditionFailure>): void {
  if (message.violations !== undefined) for (let index = message.violations.length - 1; index >= 0; index--) {
    const length = writer.length;
    writePreconditionFailureViolation(writer, message.violations[index]!);
    writer.close(10, length);
  }
}

export function readPreconditionFailure(reader: WireReader): PreconditionFailure {
  const violations: PreconditionFailureViolation[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("violations");
          violations.push(readPreconditionFailureViolation(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { violations };
}

/** `google.rpc.PreconditionFailure.Violation` */
export interface PreconditionFailureViolation {
  readonly type: string;
  readonly subject: string;
  readonly description: string;
}
export const PreconditionFailureViolation: Codec<PreconditionFailureViolation> = /* @__PURE__ */ codec("google.rpc.PreconditionFailure.Violation", writePreconditionFailureViolation, readPreconditionFailureViolation);

export function writePreconditionFailureViolation(writer: WireWriter, message: Init<PreconditionFailureViolation>): void {
  if (message.description) writer.string(26, message.description);
  if (message.subject) writer.string(18, message.subject);
  if (message.type) writer.string(10, message.type);
}

export function readPreconditionFailureViolation(reader: WireReader): PreconditionFailureViolation {
  let type = "";
  let subject = "";
  let description = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        type = reader.string("type");
        break;
      case 18:
        subject = reader.string("subject");
        break;
      case 26:
        description = reader.string("description");
        break;
      default:
        reader.skip();
    }
  }
  return { type, subject, description };
}

/** `google.rpc.BadRequest` */
export interface BadRequest {
  readonly fieldViolations: readonly BadRequestFieldViolation[];
}
export const BadRequest: Codec<BadRequest> = /* @__PURE__ */ codec("google.rpc.BadRequest", writeBadRequest, readBadRequest);

export function writeBadRequest(writer: WireWriter, message: Init<BadRequest>): void {
  if (message.fieldViolations !== undefined) for (let index = message.fieldViolations.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeBadRequestFieldViolation(writer, message.fieldViolations[index]!);
    writer.close(10, length);
  }
}

export function readBadRequest(reader: WireReader): BadRequest {
  const fieldViolations: BadRequestFieldViolation[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("field_violations");
          fieldViolations.push(readBadRequestFieldViolation(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { fieldViolations };
}

/** `google.rpc.BadRequest.FieldViolation` */
export interface BadRequestFieldViolation {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
  readonly localizedMessage: LocalizedMessage | undefined;
}
export const BadRequestFieldViolation: Codec<BadRequestFieldViolation> = /* @__PURE__ */ codec("google.rpc.BadRequest.FieldViolation", writeBadRequestFieldViolation, readBadRequestFieldViolation);

export function writeBadRequestFieldViolation(writer: WireWriter, message: Init<BadRequestFieldViolation>): void {
  if (message.localizedMessage !== undefined) {
    const length = writer.length;
    writeLocalizedMessage(writer, message.localizedMessage);
    writer.close(34, length);
  }
  if (message.reason) writer.string(26, message.reason);
  if (message.description) writer.string(18, message.description);
  if (message.field) writer.string(10, message.field);
}

export function readBadRequestFieldViolation(reader: WireReader): BadRequestFieldViolation {
  let field = "";
  let description = "";
  let reason = "";
  let localizedMessage: LocalizedMessage | undefined;
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        field = reader.string("field");
        break;
      case 18:
        description = reader.string("description");
        break;
      case 26:
        reason = reader.string("reason");
        break;
      case 34:
        {
          const outer = reader.enter("localized_message");
          localizedMessage = readLocalizedMessage(reader);
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { field, description, reason, localizedMessage };
}

/** `google.rpc.RequestInfo` */
export interface RequestInfo {
  readonly requestId: string;
  readonly servingData: string;
}
export const RequestInfo: Codec<RequestInfo> = /* @__PURE__ */ codec("google.rpc.RequestInfo", writeRequestInfo, readRequestInfo);

export function writeRequestInfo(writer: WireWriter, message: Init<RequestInfo>): void {
  if (message.servingData) writer.string(18, message.servingData);
  if (message.requestId) writer.string(10, message.requestId);
}

export function readRequestInfo(reader: WireReader): RequestInfo {
  let requestId = "";
  let servingData = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        requestId = reader.string("request_id");
        break;
      case 18:
        servingData = reader.string("serving_data");
        break;
      default:
        reader.skip();
    }
  }
  return { requestId, servingData };
}

/** `google.rpc.ResourceInfo` */
export interface ResourceInfo {
  readonly resourceType: string;
  readonly resourceName: string;
  readonly owner: string;
  readonly description: string;
}
export const ResourceInfo: Codec<ResourceInfo> = /* @__PURE__ */ codec("google.rpc.ResourceInfo", writeResourceInfo, readResourceInfo);

export function writeResourceInfo(writer: WireWriter, message: Init<ResourceInfo>): void {
  if (message.description) writer.string(34, message.description);
  if (message.owner) writer.string(26, message.owner);
  if (message.resourceName) writer.string(18, message.resourceName);
  if (message.resourceType) writer.string(10, message.resourceType);
}

export function readResourceInfo(reader: WireReader): ResourceInfo {
  let resourceType = "";
  let resourceName = "";
  let owner = "";
  let description = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        resourceType = reader.string("resource_type");
        break;
      case 18:
        resourceName = reader.string("resource_name");
        break;
      case 26:
        owner = reader.string("owner");
        break;
      case 34:
        description = reader.string("description");
        break;
      default:
        reader.skip();
    }
  }
  return { resourceType, resourceName, owner, description };
}

/** `google.rpc.Help` */
export interface Help {
  readonly links: readonly HelpLink[];
}
export const Help: Codec<Help> = /* @__PURE__ */ codec("google.rpc.Help", writeHelp, readHelp);

export function writeHelp(writer: WireWriter, message: Init<Help>): void {
  if (message.links !== undefined) for (let index = message.links.length - 1; index >= 0; index--) {
    const length = writer.length;
    writeHelpLink(writer, message.links[index]!);
    writer.close(10, length);
  }
}

export function readHelp(reader: WireReader): Help {
  const links: HelpLink[] = [];
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        {
          const outer = reader.enter("links");
          links.push(readHelpLink(reader));
          reader.leave(outer);
        }
        break;
      default:
        reader.skip();
    }
  }
  return { links };
}

/** `google.rpc.Help.Link` */
export interface HelpLink {
  readonly description: string;
  readonly url: string;
}
export const HelpLink: Codec<HelpLink> = /* @__PURE__ */ codec("google.rpc.Help.Link", writeHelpLink, readHelpLink);

export function writeHelpLink(writer: WireWriter, message: Init<HelpLink>): void {
  if (message.url) writer.string(18, message.url);
  if (message.description) writer.string(10, message.description);
}

export function readHelpLink(reader: WireReader): HelpLink {
  let description = "";
  let url = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        description = reader.string("description");
        break;
      case 18:
        url = reader.string("url");
        break;
      default:
        reader.skip();
    }
  }
  return { description, url };
}

/** `google.rpc.LocalizedMessage` */
export interface LocalizedMessage {
  readonly locale: string;
  readonly message: string;
}
export const LocalizedMessage: Codec<LocalizedMessage> = /* @__PURE__ */ codec("google.rpc.LocalizedMessage", writeLocalizedMessage, readLocalizedMessage);

export function writeLocalizedMessage(writer: WireWriter, message: Init<LocalizedMessage>): void {
  if (message.message) writer.string(18, message.message);
  if (message.locale) writer.string(10, message.locale);
}

export function readLocalizedMessage(reader: WireReader): LocalizedMessage {
  let locale = "";
  let message = "";
  for (let tag = reader.next(); tag !== 0; tag = reader.next()) {
    switch (tag) {
      case 10:
        locale = reader.string("locale");
        break;
      case 18:
        message = reader.string("message");
        break;
      default:
        reader.skip();
    }
  }
  return { locale, message };
}
