/** Integers as decimal digits, with a minus if there is one. */
export const DIGITS_BYTES_MAX: u32 = 20;

/** Writes at most DIGITS_BYTES_MAX bytes at `to`; gives how many. */
export function writeDigits(to: usize, value: i64): u32 {
  let rest = value < 0 ? 0 - <u64>value : <u64>value;
  let bytes: u32 = value < 0 ? 2 : 1;
  for (let more = rest / 10; more != 0; more /= 10) bytes++;
  let at = to + bytes;
  do {
    store<u8>(--at, 0x30 + <u8>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  if (value < 0) store<u8>(to, 0x2d);
  return bytes;
}
