/** A message being read, in scratch: its program, and the scopes that hold what it said. */
import { Decoding, LEVEL_BYTES, levelBits, textBuffer } from '../../cursor';
import { SCOPE_BYTES } from './scope';

@unmanaged
export class Message {
  d: Decoding;
  program: usize;
  /** Where scalars are kept: recordScope, or sampleScope within a sample. */
  scope: usize;
  recordScope: usize;
  sampleScope: usize;
  /** Where the next text of digits can be written. */
  textAt: usize;
  /** Key of a map that is not a string. */
  key: u64;
}
const MESSAGE_BYTES: usize = 64;

export function openMessage(d: Decoding, program: usize): Message {
  assert(MESSAGE_BYTES + 2 * SCOPE_BYTES <= LEVEL_BYTES, 'both scopes have room');
  const scratch = levelBits(d);
  const m = changetype<Message>(scratch);
  m.d = d;
  m.program = program;
  m.recordScope = scratch + MESSAGE_BYTES;
  m.sampleScope = m.recordScope + SCOPE_BYTES;
  m.scope = m.recordScope;
  m.textAt = textBuffer(d);
  return m;
}
