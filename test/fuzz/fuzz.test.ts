/** The fuzzer finds planted bugs, and what it once found to be interesting still breaks nothing. */
import { expect } from 'chai';
import { webAssembly } from '../../src/kernel/binary.ts';
import { Search, type Subject } from './fuzzer.ts';
import { compileDecoders, Harness, readCorpus } from './harness.ts';
import { type Instrumented, instrument } from './instrument.ts';
import { TARGETS } from './target.ts';

const SEED = 20261122;
const INPUTS = 20_000;
const MAP_AT = 4096;
const FUEL_AT = 4088;

/** Traps on inputs that begin with FUZ, one byte to a branch; loops for ever on those with !. */
const PLANTED = `(module
 (import "env" "memory" (memory 1 65536 shared))
 (func $attack (param $at i32)
  local.get $at
  i32.load8_u
  i32.const 33
  i32.eq
  if
   loop $for-ever
    br $for-ever
   end
  end
  local.get $at
  i32.load8_u
  i32.const 70
  i32.eq
  if
   local.get $at
   i32.load8_u offset=1
   i32.const 85
   i32.eq
   if
    local.get $at
    i32.load8_u offset=2
    i32.const 90
    i32.eq
    if
     unreachable
    end
   end
  end
 )
 (export "attack" (func $attack))
)`;

class Toy implements Subject {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #attack: (at: number) => void;
  readonly #places: number;

  constructor({ binary, places }: Instrumented) {
    const memory = new webAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    const instance = new webAssembly.Instance(new webAssembly.Module(binary), { env: { memory } });
    this.#attack = (instance.exports as { attack: (at: number) => void }).attack;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#places = places;
  }

  run({ payload }: { payload: Uint8Array }): string | null {
    this.#bytes.fill(0, 0, MAP_AT + this.#places);
    this.#bytes.set(payload.subarray(0, 64), 0);
    this.#view.setInt32(FUEL_AT, 1000, true);
    try {
      this.#attack(0);
      return null;
    } catch {
      return this.#view.getInt32(FUEL_AT, true) < 0 ? 'loops' : 'traps';
    }
  }

  isIntact = () => true;
  turns = () => 0;

  get map(): Uint8Array {
    return this.#bytes.subarray(MAP_AT, MAP_AT + this.#places);
  }
}

describe('the fuzzer', () => {
  const made = instrument(PLANTED, { mapAt: MAP_AT, fuelAt: FUEL_AT });
  const searchOf = (seeds: readonly Uint8Array[], words: readonly Uint8Array[]) =>
    new Search({
      subject: new Toy(made),
      ...{ seeds, words, kinds: [''], bytesMax: 64, seed: SEED },
    });

  it('finds a trap behind three branches from a single byte', () => {
    const search = searchOf([Buffer.from('a')], [Buffer.from('x')]);
    search.run(2_000_000);
    expect(search.failure?.what).to.be.oneOf(['traps', 'loops']);
    expect(search.kept.length).to.be.greaterThan(1);
  });

  it('ends what loops for ever and says so', () => {
    const search = searchOf([Buffer.from('!')], [Buffer.from('x')]);
    expect(search.failure?.what).to.equal('loops');
  });
});

describe(`decoders under attack, seed ${SEED}`, () => {
  let made: Instrumented;
  before(async function () {
    this.timeout(120_000);
    made = await compileDecoders();
  });

  for (const target of TARGETS) {
    it(`${target.name}: neither the corpus nor ${INPUTS} inputs made from it break it`, () => {
      const corpus = readCorpus(target.name);
      expect(corpus.length, 'the corpus is there').to.be.greaterThan(0);
      const search = new Search({
        subject: new Harness(made, target.plan(), target.aliases),
        seeds: [...target.seeds(), ...corpus],
        words: target.words,
        kinds: target.kinds,
        bytesMax: 4096,
        seed: SEED,
      });
      search.run(INPUTS);
      expect(search.failure).to.equal(null);
      expect(search.reached).to.be.greaterThan(100);
    }).timeout(120_000);
  }
});
