/**
 * The clock of a device against the log: the least of `received − event` over the last one to two
 * buckets of log time. In: every well-formed time that a device gives. Out: offset and drift, and
 * a time set back when the clock runs ahead. Delays only ever make the difference larger, so the
 * least one is nearest to what the clocks differ by.
 */
import { Device } from '../device';
import { NONE, durable } from '../memory';
import { CLOCK_BUCKET_MS, EVENT_TIME_MS_MIN } from '../shared/abi';

const PPM: f64 = 1000000;

/** Takes in `received − event` of a sample, before the sample is judged. */
export function learnClock(device: Device, difference: i64): void {
  const now = durable().logClock;
  // Inside the bucket without a division: this is done for every sample.
  const inside = <u64>(now - <i64>device.clockBucket * CLOCK_BUCKET_MS) < <u64>CLOCK_BUCKET_MS;
  if (inside && device.clockLeast != NONE) {
    if (difference < device.clockLeast) device.clockLeast = difference;
    return;
  }
  const bucket = <u32>(now / CLOCK_BUCKET_MS);
  device.clockBefore = bucket == device.clockBucket + 1 ? device.clockLeast : NONE;
  device.clockBucket = bucket;
  device.clockLeast = difference;
}

/** Below 0: the clock runs ahead. 0 while it is unknown. */
export function clockOffset(device: Device): i64 {
  if (device.clockLeast == NONE) return 0;
  if (device.clockBefore == NONE) return device.clockLeast;
  return min(device.clockBefore, device.clockLeast);
}

/** How much the offset changes, in parts per million; 0 while unknown. */
export function clockDrift(device: Device): f64 {
  if (device.clockLeast == NONE || device.clockBefore == NONE) return 0;
  return <f64>(device.clockLeast - device.clockBefore) * PPM / <f64>CLOCK_BUCKET_MS;
}

/** The time as it was by the log's clock; the device's own when that is not ahead. */
export function correctedTime(device: Device, event: i64, received: i64): i64 {
  if (event <= received) return event;
  const offset = clockOffset(device);
  return offset < 0 ? max(event + offset, EVENT_TIME_MS_MIN) : event;
}
