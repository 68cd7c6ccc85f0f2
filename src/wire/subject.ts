/**
 * Subject names and the partition of a device. Ids never need escaping: they match
 * [A-Za-z0-9_-]{1,64} or are refused. The partition function is nats-server's own (FNV-1a 32 over
 * the concatenated tokens, modulo N), so that gateways and server-side mapping agree.
 */
import type { DeadLetter, Fact } from '../model/fact.ts';
import { ID_PATTERN, type Identity } from '../model/record.ts';

export const DEFAULT_LOG = 'main';

export function partitionOf(identity: Identity, partitions: number): number {
  let hash = 0x811c9dc5;
  for (const token of [identity.tenant, identity.site, identity.device]) {
    for (let index = 0; index < token.length; index += 1) {
      hash = Math.imul(hash ^ token.charCodeAt(index), 0x01000193);
    }
  }
  return (hash >>> 0) % partitions;
}

export const streamName = (log: string, partition: number): string => `LOG_${log}_${partition}`;

/** Everything a log stream holds: `log.<log>.<p>.>`. */
export const logSubjects = (log: string, partition: number): string => `log.${log}.${partition}.>`;

export const logSubject = (log: string, partition: number, kind: string): string =>
  `log.${log}.${partition}.${kind}`;

/** What a native NATS publisher publishes to; the server maps it into the log. */
export const telemetrySubject = (identity: Identity, channel: string): string =>
  `iot.${identity.tenant}.${identity.site}.${identity.device}.t.${channel}`;

/**
 * Where the records and state of a log begin, after `ckpt.`, `skip.` and `state.`: two logs of one
 * account must not share them. The default log's were there before there were others.
 */
export const logScope = (log: string): string => (log === DEFAULT_LOG ? '' : `log_${log}.`);

export const checkpointSubject = (scope: string, job: string, partition: number): string =>
  `ckpt.${scope}${job}.${partition}`;

export const skipSubject = (scope: string, job: string, partition: number, tail: string): string =>
  `skip.${scope}${job}.${partition}.${tail}`;

export const heartbeatSubject = (log: string, member: string): string =>
  `svc.millrace.heartbeat.${log}.${member}`;

/** Requests to one worker: give a partition up, drain. */
export const orderSubject = (log: string, member: string): string =>
  `svc.millrace.order.${log}.${member}`;

/** Requests to one instance: what its partitions are doing. */
export const phaseSubject = (log: string, name: string): string =>
  `svc.millrace.phase.${log}.${name}`;

/** What a worker says that does not fit and ends. */
export const refusalSubject = (log: string): string => `svc.millrace.refused.${log}`;

const identityTokens = (identity: Identity): string =>
  `${identity.tenant}.${identity.site}.${identity.device}`;

export function factSubject(fact: Fact): string {
  const device = identityTokens(fact.identity);
  if (fact.kind === 'window') return `agg.${fact.window}.${device}`;
  return fact.kind === 'alert'
    ? `alert.${fact.severity}.${device}.${fact.rule}`
    : `shadow.${device}`;
}

/** Parts of the identity that are not known (or not valid ids) stand as `_`. */
export function deadLetterSubject(letter: DeadLetter): string {
  const { tenant = '_', site = '_', device = '_' } = letter.identity ?? {};
  const tokens = [tenant, site, device].map((token) => (ID_PATTERN.test(token) ? token : '_'));
  return `dlq.${letter.reason}.${tokens.join('.')}`;
}

/** Identity and channel of a mapped native publish, or null when it is another kind of message. */
export function parseTelemetrySubject(
  subject: string,
): { identity: Identity; channel: string } | null {
  const tokens = subject.split('.');
  if (tokens.length !== 9 || tokens[3] !== 'iot' || tokens[7] !== 't') return null;
  const [, , , , tenant, site, device, , channel] = tokens;
  if (!tenant || !site || !device || !channel) return null;
  return { identity: { tenant, site, device }, channel };
}
