/**
 * What identifies a stored message: its sequence, its log stamp and a hash of subject and payload.
 * A log that lost its tail and grew again has the same sequences, but not the same identities.
 */
import { createHash } from 'node:crypto';
import type { LogIdentity } from '../model/doors.ts';

const HASH_HEX_CHARACTERS = 16;

export function messageIdentity(message: {
  readonly sequence: bigint;
  readonly logTimeNs: bigint;
  readonly subject: string;
  readonly payload: Uint8Array;
}): LogIdentity {
  const hash = createHash('sha256').update(message.subject).update('\0').update(message.payload);
  return {
    sequence: message.sequence,
    logTimeNs: message.logTimeNs,
    hash: hash.digest('hex').slice(0, HASH_HEX_CHARACTERS),
  };
}
