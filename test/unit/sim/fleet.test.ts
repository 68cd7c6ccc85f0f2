import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { NO_DISORDER, runSimulation, Simulation } from '../../../src/sim/index.ts';

const table = (names: string[]) =>
  new Map(names.map((name, ordinal) => [name, { ordinal, integer: name === 'status' }]));

const metrics = {
  truck: table(['latitude', 'longitude', 'elevation', 'velocity', 'heading', 'grade']),
  diagnostics: table(['fuel_state', 'current_load', 'status']),
};

const options = { seed: 7, trucks: 20, startMs: 1_700_000_000_000, stepMs: 10_000, metrics };

function history(seed: number, steps: number) {
  const simulation = new Simulation({ ...options, seed });
  return Array.from({ length: steps }, () => simulation.step()).flat();
}

describe('the simulated fleet', () => {
  it('sends the same events for the same seed, others for another', () => {
    expect(history(7, 30)).to.deep.equal(history(7, 30));
    expect(history(7, 30)).not.to.deep.equal(history(8, 30));
  });

  it('loses about a tenth, repeats about a hundredth and sends some out of order', () => {
    const events = history(3, 400).map(({ event }) => event);
    const made = 20 * 400 * 2;
    const distinct = new Set(events.map((event) => `${event.device}:${event.sequence}`));
    expect(distinct.size / made).to.be.within(0.85, 0.92);
    expect(events.length - distinct.size).to.be.within(60, 220);
    const newest = new Map<string, bigint>();
    const late = events.filter((event) => {
      const before = newest.get(event.device) ?? 0n;
      if (event.sequence > before) newest.set(event.device, event.sequence);
      return event.sequence < before;
    });
    expect(late.length / events.length).to.be.within(0.1, 0.4);
  });

  it('keeps every value inside the range of its metric', () => {
    for (const { event } of history(5, 100)) {
      if (event.channel !== 'truck') continue;
      expect(event.values['velocity']).to.be.within(0, 100);
      expect(event.values['latitude']).to.be.within(-90, 90);
    }
  });

  it('sends everything in order, once, without disorder', () => {
    const simulation = new Simulation({ ...options, disorder: NO_DISORDER });
    const events = Array.from({ length: 5 }, () => simulation.step()).flat();
    expect(events).to.have.length(20 * 5 * 2);
    expect(events.every(({ dueMs, event }) => event.eventTimeMs === dueMs)).to.equal(true);
  });

  it('counts what was acknowledged and stops at the number asked for', async () => {
    const acknowledged: bigint[] = [];
    const sent = await runSimulation(
      {
        simulation: new Simulation(options),
        send: async () => ({ partition: 0, sequence: 1n, index: 0 }),
        clock: systemClock,
        eventsPerSecond: 0,
        eventsMax: 123,
        onAcknowledged: (event) => acknowledged.push(event.sequence),
        onRefused: (_, error) => expect.fail(String(error)),
      },
      new AbortController().signal,
    );
    expect(sent).to.equal(123);
    expect(acknowledged).to.have.length(123);
  });
});
