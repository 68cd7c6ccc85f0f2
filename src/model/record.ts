/**
 * The nouns on the way in: identity, record, record batch. A record is one admitted device message;
 * a record batch is what one log message holds. Payload bytes are never looked into before the log.
 */
export interface Identity {
  readonly tenant: string;
  readonly site: string;
  readonly device: string;
}

/** How a record proves that it is the same event when it is sent again. */
export type EventKey =
  | { readonly eventId: string }
  /** `bootId` and `sequence` are unsigned 64-bit; sequence grows by one per event of a boot. */
  | { readonly bootId: bigint; readonly sequence: bigint };

export interface DeviceRecord {
  readonly identity: Identity;
  readonly channel: string;
  /** UTC milliseconds at the door. */
  readonly receivedAtMs: number;
  readonly payload: Uint8Array;
  /**
   * What the transport says of the payload beside its bytes: of a Sparkplug B topic the message
   * type and the device, 'NBIRTH' or 'DDATA/pump1'. Absent: nothing.
   */
  readonly kind?: string;
  /** Absent: the payload may carry its own; else the record is not deduplicated. */
  readonly key?: EventKey;
}

/** Where a message lies in the log; `index` is the record's place in its batch (0 for singles). */
export interface LogPosition {
  readonly partition: number;
  readonly sequence: bigint;
  readonly index: number;
}

export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
