/**
 * What the workers of a chaos run are configured with. Two channels: `vehicle`, most of the load,
 * and `beacon`, whose windows of one second show how long a partition stands still. Both close
 * windows fast and keep memory small, and facts are Protobuf (a fifth of the work of JSON), so that
 * three workers fit on a small machine.
 */
export const LOG_ID = 'chaos';
export const PARTITIONS = 8;
export const VEHICLE = 'vehicle';
export const BEACON = 'beacon';
/** Older ones are rejected. */
export const AGE_MAX_MS = 30 * 60_000;

export const CONFIG = `version: 1
log: { id: ${LOG_ID}, partitions: ${PARTITIONS}, maxBytes: 4GiB, retention: 1h }
nats: { replicas: 3 }
kernel: { memory: 96MiB }
checkpoint: { interval: 5s }
devices: { max: 2048 }
dedup: { horizon: 1h }
texts: { max: 64 }
deadLetters: { retention: 1h }
shadows: { interval: 30s }
facts: { format: protobuf }
metrics:
  counter: { kind: integer }
  velocity: { unit: m/s, min: 0, max: 1000 }
  fuel: { unit: L, min: 0, max: 1000 }
  load: { unit: kg, min: 0, max: 100000 }
  level: { unit: '1', min: -1000, max: 1000 }
channels:
  ${VEHICLE}:
    format: protobuf
    score: none
    metrics: { counter: {}, velocity: {}, fuel: {}, load: {} }
    windows: [1m]
    outOfOrder: 2s
    lateness: 3m
    idle: 5s
    age: { max: 30m }
  ${BEACON}:
    format: protobuf
    score: none
    metrics: { counter: {}, level: {} }
    windows: [1s, 1m]
    outOfOrder: 0s
    lateness: 10s
    idle: 5s
    age: { max: 30m }
`;
