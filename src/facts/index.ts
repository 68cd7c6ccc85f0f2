/** The facts room: publishes what became true. Knows subjects and versions, nothing of turns. */
export type { LaneCounts, LaneTrouble } from './lane.ts';
export type { FactLink } from './publication.ts';
export { SHADOW_BUCKET } from './shadow-bucket.ts';
export { createFactSink, type FactSinkOptions, type NatsFactSink } from './sink.ts';
