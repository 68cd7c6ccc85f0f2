/**
 * The table of names of a Sparkplug or SenML channel (layout: shared/plan-layout.ts, written by
 * src/kernel/name-program.ts). In: the channel's program and a name's bytes. Out: the ordinal of
 * the metric in use that has it, or ORDINAL_NONE. Nothing here writes.
 */
import { ORDINAL_NONE } from '../cursor';
import * as P from '../shared/plan-layout';
import { equalBytes, nameHash } from '../text';

/** Of several metrics with one name the first by ordinal. */
export function findName(program: usize, name: usize, nameBytes: u32): u32 {
  const mask = load<u32>(program, P.NAMES_MASK_AT);
  const hash = nameHash(name, nameBytes);
  let slot = hash & mask;
  while (true) {
    const at = program + (<usize>slot << 3);
    const offset = load<u32>(at, P.NAMES_SLOTS_AT + 4);
    if (offset == 0) return ORDINAL_NONE;
    if (load<u32>(at, P.NAMES_SLOTS_AT) == hash) {
      const entry = program + offset;
      if (
        load<u32>(entry, P.NAME_KEY_BYTES_AT) == nameBytes &&
        equalBytes(entry + P.NAME_KEY_AT, name, nameBytes)
      ) return load<u32>(entry, P.NAME_ORDINAL_AT);
    }
    slot = (slot + 1) & mask;
  }
}
