/**
 * The turn: a chunk's messages, one after the other, each through these phases:
 *
 *   ENTRY ─► TIMERS ─► BODY ─► RECORDS ⇄ SAMPLES ─► FLUSH ─► END ─► next entry
 *
 * The phase and its cursors lie in `Turn`, so that a full output region can stop the turn between
 * any two units of work and `resume` goes on there. All control flow of the kernel is in this file.
 */
import { nextSlice, openBatch } from './batch';
import * as E from './entry';
import { countMessage } from './ledger';
import { NONE, control, durable } from './memory';
import {
  RECORD_AGAIN, RECORD_NO_MEMORY, RECORD_SAMPLES,
  clearRecord, messageHasSkip, openRecord, refuseMessage,
} from './record';
import { applySamples, samplesFit } from './sample';
import { clearOutput, sealBlocks } from './seal';
import { rowsFull } from './rows';
import { FLUSH_SEQUENCES } from './shared/abi';
import {
  NO_RECORD, RESULT_CHUNK_BAD, RESULT_DONE, RESULT_MEMORY_FULL, RESULT_MORE, RESULT_PLAN,
} from './shared/control';
import { fireTimers } from './timer';
import { flushDevices, needsTicks } from './flush';
import { warmSlice } from './warm';
import { Turn, recordAt, recordOf, turnOf } from './work';

const PHASE_ENTRY: u32 = 0;
const PHASE_TIMERS: u32 = 1;
const PHASE_BODY: u32 = 2;
const PHASE_RECORDS: u32 = 3;
const PHASE_SAMPLES: u32 = 4;
const PHASE_FLUSH: u32 = 5;
const PHASE_END: u32 = 6;

/** A phase that is done lets the next one go on; the others end the call. */
const GO_ON: i32 = -1;

/** Two ticks: after a longer silence of the log idle times count from its end. */
const GAP_MS: i64 = 2000;

/** Applies the chunk at [at, at + bytes); a RESULT_ code. */
export function beginTurn(at: usize, bytes: u32): i32 {
  const turn = turnOf();
  turn.entryAt = at;
  turn.chunkEnd = at + bytes;
  turn.phase = PHASE_ENTRY;
  return continueTurn();
}

/** Goes on where RESULT_MORE or RESULT_PLAN stopped. */
export function continueTurn(): i32 {
  const c = control();
  c.turnWord++;
  clearOutput();
  const result = run(turnOf());
  sealBlocks();
  c.position = durable().position;
  c.logClock = durable().logClock;
  c.needsTicks = needsTicks() ? 1 : 0;
  c.turnWord++;
  return result;
}

function run(turn: Turn): i32 {
  let result = GO_ON;
  while (result == GO_ON) {
    switch (turn.phase) {
      case PHASE_ENTRY: result = beginEntry(turn); break;
      case PHASE_TIMERS: result = fireTimers() ? enter(turn, PHASE_BODY) : RESULT_MORE; break;
      case PHASE_BODY: result = beginBody(turn); break;
      case PHASE_RECORDS: result = nextRecord(turn); break;
      case PHASE_SAMPLES: result = continueSamples(turn); break;
      case PHASE_FLUSH: result = flush(turn); break;
      default: result = endEntry(turn); break;
    }
  }
  return result;
}

@inline
function enter(turn: Turn, phase: u32): i32 {
  turn.phase = phase;
  return GO_ON;
}

/** Steps 1 and 2: position, ledger block, clock. */
function beginEntry(turn: Turn): i32 {
  const d = durable();
  const c = control();
  for (;;) {
    if (turn.entryAt == turn.chunkEnd) return RESULT_DONE;
    if (!E.entryFits(turn.entryAt, turn.chunkEnd)) return RESULT_CHUNK_BAD;
    if (E.entrySequence(turn.entryAt) > d.position) break;
    turn.entryAt += E.entryBytes(turn.entryAt);
  }
  if (rowsFull()) return RESULT_MORE;
  turn.sequence = E.entrySequence(turn.entryAt);
  turn.stampMs = E.entryStampMs(turn.entryAt);
  turn.kind = E.kindOf(turn.entryAt);
  turn.emissionOrdinal = 0;
  turn.sampleOrdinal = 0;
  turn.fragmentOrdinal = 0;
  turn.recordIndex = NO_RECORD;
  turn.hopEnd = NONE;
  turn.hopFragment = 0;
  turn.hasSkip = messageHasSkip(turn.sequence) ? 1 : 0;
  c.sequence = turn.sequence;
  c.recordIndex = NO_RECORD;
  c.messageOpen = 1;
  countMessage(turn.sequence);
  if (turn.stampMs - d.logClock > GAP_MS) d.idleFloor = turn.stampMs;
  if (turn.stampMs > d.logClock) d.logClock = turn.stampMs;
  return enter(turn, PHASE_TIMERS);
}

/** Step 4, what holds no record or is no valid batch. */
function beginBody(turn: Turn): i32 {
  const at = E.bodyAt(turn.entryAt);
  const bytes = E.bodyBytes(turn.entryAt);
  turn.bodyAt = at;
  turn.bodyEnd = at + bytes;
  turn.recordAt = at;
  turn.recordIndex = 0;
  if (turn.kind == E.KIND_TICK || turn.kind == E.KIND_PLAN || turn.kind == E.KIND_CTL) {
    return beginFlush(turn);
  }
  control().recordIndex = 0;
  if (turn.kind == E.KIND_TELEMETRY) {
    clearRecord(recordAt(0));
    E.readTelemetry(turn.entryAt, recordAt(0));
    turn.slicePlace = 0;
    turn.sliceCount = 1;
    turn.recordAt = turn.bodyEnd;
    return beginSlice(turn);
  }
  if (turn.kind == E.KIND_BATCH && openBatch(at, at + bytes)) return beginSlice(turn);
  refuseMessage(at, bytes);
  return beginFlush(turn);
}

/** What the records that were read ahead need. */
function beginSlice(turn: Turn): i32 {
  warmSlice(turn.sliceCount);
  return enter(turn, PHASE_RECORDS);
}

function nextRecord(turn: Turn): i32 {
  if (rowsFull()) return RESULT_MORE;
  if (turn.slicePlace == turn.sliceCount) {
    return turn.recordAt < turn.bodyEnd && nextSlice() ? beginSlice(turn) : beginFlush(turn);
  }
  const record = recordAt(turn.slicePlace);
  turn.record = changetype<usize>(record);
  control().recordIndex = turn.recordIndex;
  turn.sample = 0;
  const result = openRecord(record);
  if (result == RECORD_NO_MEMORY) return RESULT_MEMORY_FULL;
  if (result == RECORD_AGAIN) return RESULT_MORE;
  turn.slicePlace++;
  if (result == RECORD_SAMPLES && !applySamples(record)) {
    turn.phase = PHASE_SAMPLES;
    return RESULT_MORE;
  }
  turn.recordIndex++;
  return GO_ON;
}

function continueSamples(turn: Turn): i32 {
  if (!samplesFit() || !applySamples(recordOf())) return RESULT_MORE;
  turn.recordIndex++;
  return enter(turn, PHASE_RECORDS);
}

/** Step 5, when the message is a flush point. */
function beginFlush(turn: Turn): i32 {
  control().recordIndex = NO_RECORD;
  turn.flushSlot = 0;
  turn.flushSection = 0;
  turn.flushWarm = 0;
  turn.qualitySlot = 0;
  const isFlush = turn.kind == E.KIND_TICK || turn.sequence % FLUSH_SEQUENCES == 0;
  return enter(turn, isFlush ? PHASE_FLUSH : PHASE_END);
}

function flush(turn: Turn): i32 {
  return flushDevices() ? enter(turn, PHASE_END) : RESULT_MORE;
}

/** Step 6. */
function endEntry(turn: Turn): i32 {
  const c = control();
  durable().position = turn.sequence;
  c.messageOpen = 0;
  turn.entryAt += E.entryBytes(turn.entryAt);
  turn.phase = PHASE_ENTRY;
  if (turn.kind != E.KIND_PLAN) return GO_ON;
  c.planPending = 1;
  return RESULT_PLAN;
}
