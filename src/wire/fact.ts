/**
 * Facts and dead letters as bytes: what subjects carry (docs/facts.md). In: a fact. Out: one UTF-8
 * document of JSON, or one Protobuf message, and back again for tools.
 */
import type { DeadLetter, Fact } from '../model/fact.ts';
import { factJson, factOfJson, type Json } from './fact-json.ts';
import { decodeProtobuf, encodeProtobuf } from './fact-protobuf.ts';

export type FactFormat = 'json' | 'protobuf';
/** What a message of the subjects agg, alert, shadow and dlq holds. */
export type FactMessage = Fact | (DeadLetter & { readonly kind: 'deadLetter' });

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** No FactMessage in Protobuf begins with it. */
const OPENING_BRACE = 0x7b;

export function encodeFact(fact: Fact, format: FactFormat = 'json'): Uint8Array {
  return encode(fact, format);
}

export function encodeDeadLetter(letter: DeadLetter, format: FactFormat = 'json'): Uint8Array {
  return encode({ ...letter, kind: 'deadLetter' }, format);
}

function encode(fact: FactMessage, format: FactFormat): Uint8Array {
  if (format === 'protobuf') return encodeProtobuf(fact);
  return encoder.encode(JSON.stringify(factJson(fact)));
}

/** Either format. Throws when it is neither. */
export function decodeFact(bytes: Uint8Array): FactMessage {
  if (bytes[0] !== OPENING_BRACE) return decodeProtobuf(bytes);
  return factOfJson(JSON.parse(decoder.decode(bytes)) as Json);
}
