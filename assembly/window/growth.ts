/**
 * How much a record may make the section of its channel grow, asked before anything is changed. In:
 * device, channel, samples and readings. Out: an upper bound in bytes.
 */
import {
  channelAlertCount, channelId, channelMetricCount, channelScore, channelStands,
  channelWindowCount, windowKind, windowSketches,
} from '../channel';
import { Device } from '../device';
import {
  ALERT_STATE_BYTES, SECTION_BYTES, Section, WINDOW_STATE_BYTES, findSection, seasonsBytes,
  seriesBytes, windowStateAt,
} from '../series';
import { OPEN_WINDOWS_MAX, SCORE_NONE, WINDOW_HOPPING, WINDOW_SESSION } from '../shared/abi';
import { GRAVE_BYTES, WINDOW_SCORED, plainBytes } from './cell';
import { follows, lengthOf, stepOf } from './conform';
import { MERGED_SHAPE } from './merge';
import { BIN_BYTES, sketchHeadBytes } from './sketch';

/**
 * Bytes that the channel's section may need beyond what it has for a record of so many samples and
 * readings: a cell a sample and window, a bin a reading and sketch, a tombstone a sample.
 */
export function sectionGrowth(
  device: Device, channel: usize, samples: u32, readings: u32,
): usize {
  let at: usize = 0;
  if (device !== null) at = findSection(device, channelId(channel));
  const section = changetype<Section>(at);
  // A section never gets narrower, though a plan may be.
  let metrics = channelMetricCount(channel);
  if (at != 0) metrics = max(metrics, <u32>section.metricCount);
  let growth: usize = 0;
  if (at == 0) growth = fixedBytes(channel, metrics);
  else if (!follows(section, channel)) growth = conformGrowth(section, channel, metrics);
  const windows = channelWindowCount(channel);
  for (let i: u32 = 0; i < windows; i++) {
    // A new section's room for cells to come is growth too.
    const cells = min(at == 0 ? samples + 2 : samples, cellsMax(channel, i));
    growth += <usize>cells * cellGrowth(channel, i, metrics);
    if (windowSketches(channel, i)) growth += <usize>readings * BIN_BYTES;
  }
  return growth;
}

/** Most cells that a window can have. */
@inline
function cellsMax(channel: usize, index: u32): u32 {
  if (windowKind(channel, index) != WINDOW_HOPPING) return OPEN_WINDOWS_MAX;
  return OPEN_WINDOWS_MAX + lengthOf(channel, index) / stepOf(channel, index);
}

/** A new cell without bins, and a tombstone. */
function cellGrowth(channel: usize, index: u32, metrics: u32): usize {
  const kind = windowKind(channel, index);
  const scored = channelScore(channel) != SCORE_NONE ? WINDOW_SCORED : 0;
  let bytes = plainBytes(kind | scored, metrics);
  if (kind == WINDOW_SESSION) bytes += GRAVE_BYTES;
  return windowSketches(channel, index) ? bytes + sketchHeadBytes(metrics) : bytes;
}

/** Conforming may widen every cell and give every one sketches without bins. */
function conformGrowth(section: Section, channel: usize, metrics: u32): usize {
  let cells: usize = 0;
  for (let i: u32 = 0; i < section.windowCount; i++) {
    cells += windowStateAt(changetype<usize>(section), i).cellCount;
  }
  const widest = plainBytes(MERGED_SHAPE, metrics) + sketchHeadBytes(metrics);
  return fixedBytes(channel, metrics) + cells * widest;
}

/** Of a new section: all but cells. */
export function fixedBytes(channel: usize, metrics: u32): usize {
  const score = channelScore(channel);
  return (
    SECTION_BYTES +
    <usize>channelWindowCount(channel) * WINDOW_STATE_BYTES +
    <usize>channelAlertCount(channel) * ALERT_STATE_BYTES +
    <usize>metrics * seriesBytes(score, channelStands(channel)) + seasonsBytes(score, metrics)
  );
}
