import { expect } from 'chai';
import { place, type Seat } from '../../../src/runtime/index.ts';

const NO_PINS: ReadonlyMap<number, string> = new Map();
const members = (...ids: readonly string[]) => ids.map((id) => ({ id, draining: false }));
const options = { partitions: 16, standbys: 1, pins: NO_PINS };
const count = (seats: readonly Seat[], id: string) =>
  seats.filter(({ owner }) => owner === id).length;

describe('placement', () => {
  it('gives everything to one who is alone, and nobody follows', () => {
    const seats = place(members('a'), options);
    expect(count(seats, 'a')).to.equal(16);
    expect(seats.every(({ standbys }) => standbys.length === 0)).to.equal(true);
  });

  it('has no owner when nobody is there or all are draining', () => {
    expect(place([], options)[0]).to.deep.equal({ owner: null, standbys: [] });
    expect(place([{ id: 'a', draining: true }], options)[0]?.owner).to.equal(null);
  });

  for (const size of [2, 3, 4, 5, 16]) {
    it(`shares 16 partitions among ${size} evenly, and no one follows itself`, () => {
      const ids = Array.from({ length: size }, (_, index) => `worker-${index}`);
      const seats = place(members(...ids), options);
      for (const id of ids) expect(count(seats, id)).to.be.at.most(Math.ceil(16 / size));
      for (const { owner, standbys } of seats)
        expect(standbys).to.have.length(1).not.include(owner);
    });
  }

  it('does not depend on the order in which members were heard', () => {
    const forth = place(members('a', 'b', 'c'), options);
    expect(place(members('c', 'a', 'b'), options)).to.deep.equal(forth);
  });

  it('moves few partitions when somebody comes', () => {
    const before = place(members('a', 'b', 'c'), options);
    const after = place(members('a', 'b', 'c', 'd'), options);
    const moved = after.filter(({ owner }, partition) => owner !== before[partition]?.owner);
    expect(moved.length).to.be.at.most(8);
    expect(moved.length).to.be.at.least(4);
  });

  it('obeys a pin as long as the worker lives', () => {
    const pins = new Map([[3, 'b']]);
    expect(place(members('a', 'b'), { ...options, pins })[3]?.owner).to.equal('b');
    expect(place(members('a'), { ...options, pins })[3]?.owner).to.equal('a');
  });

  it('gives a member that drains no partition and lets it follow none', () => {
    const seats = place([...members('a', 'b'), { id: 'c', draining: true }], options);
    const named = seats.flatMap(({ owner, standbys }) => [owner, ...standbys]);
    expect(new Set(named)).to.deep.equal(new Set(['a', 'b']));
  });
});
