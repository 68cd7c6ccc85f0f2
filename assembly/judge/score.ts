/**
 * Scores: how far a reading is from the usual, in standard deviations of a running mean (README,
 * "Scores"). In: values of stored current readings, before the latest value changes. Out: the
 * score, and mean and variance moved on, of the series and of its hour of the week. What comes out
 * not finite begins again.
 */
import { SCORE_BYTES, SEASON_BYTES, Section, scoreAt, seasonAt } from '../series';
import {
  SCORE_MAX, SCORE_SEASONAL, SCORE_SPAN, SCORE_WARM_UP, SEASON_HOURS, SEASON_WARM_UP,
} from '../shared/abi';

const HOUR_MS: i64 = 3600000;

@inline
function isFiniteDouble(value: f64): bool { return value - value == 0; }

@inline
function zOf(value: f64, mean: f64, variance: f64): f64 {
  if (variance == 0) return value == mean ? 0 : <f64>SCORE_MAX;
  const z = Math.abs(value - mean) / Math.sqrt(variance);
  if (z != z) return 0;
  return z < <f64>SCORE_MAX ? z : <f64>SCORE_MAX;
}

@inline
function weightOf(count: u32): f64 {
  return count < <u32>SCORE_SPAN ? 1 / <f64>count : 1 / <f64>SCORE_SPAN;
}

/** Of a section that has scores. */
export function scoreReading(section: usize, ordinal: u32, value: f64, event: i64): f32 {
  const score = scoreAt(section, ordinal);
  let z: f64 = 0;
  if (score.count >= <u32>SCORE_WARM_UP) z = zOf(value, score.mean, score.variance);
  score.count = min(score.count, u32.MAX_VALUE - 1) + 1;
  const a = weightOf(score.count);
  const d = value - score.mean;
  score.mean = score.mean + a * d;
  score.variance = (1 - a) * (score.variance + a * d * d);
  if (!isFiniteDouble(score.mean) || !isFiniteDouble(score.variance)) {
    memory.fill(changetype<usize>(score), 0, SCORE_BYTES);
  }
  if (changetype<Section>(section).score != SCORE_SEASONAL) return <f32>z;
  return <f32>scoreSeason(section, ordinal, value, event, z);
}

/** The season's own score once it has one, else `z`. */
function scoreSeason(section: usize, ordinal: u32, value: f64, event: i64, z: f64): f64 {
  let hour = event / HOUR_MS;
  if (event % HOUR_MS < 0) hour--;
  let index = hour % SEASON_HOURS;
  if (index < 0) index += SEASON_HOURS;
  const season = seasonAt(section, ordinal, <u32>index);
  const mean = <f64>season.mean;
  const variance = <f64>season.variance;
  if (season.count >= <u32>SEASON_WARM_UP) z = zOf(value, mean, variance);
  season.count = min(season.count, u32.MAX_VALUE - 1) + 1;
  const a = weightOf(season.count);
  const d = value - mean;
  season.mean = <f32>(mean + a * d);
  season.variance = <f32>((1 - a) * (variance + a * d * d));
  if (!isFiniteDouble(<f64>season.mean) || !isFiniteDouble(<f64>season.variance)) {
    memory.fill(changetype<usize>(season), 0, SEASON_BYTES);
  }
  return z;
}
