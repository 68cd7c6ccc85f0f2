/**
 * One truck of the fleet, after the truck generator of TSBS (timescale/tsbs, use case "iot"): seven
 * readings and three diagnostics as clamped random walks. Every `step` advances all walks, so that
 * a truck's history depends on its seed and the number of steps only.
 */
import { createRandom, type Random } from './random.ts';

interface Walk {
  value: number;
  readonly step: number;
  readonly min: number;
  readonly max: number;
}

/** Channel → metric → value; what a truck knows at one moment. */
export interface TruckState {
  readonly truck: Readonly<Record<string, number>>;
  readonly diagnostics: Readonly<Record<string, number>>;
}

const FUEL_USED_PER_STEP = 0.001;
const REFUEL_BELOW = 0.05;
const STATUS_CHANGE_PROBABILITY = 0.05;
const STATUS_COUNT = 6;
const LOADS_KG = [1500, 2000, 3000, 5000];

export class Truck {
  readonly #random: Random;
  readonly #walks: Record<string, Walk>;
  readonly #loadCapacityKg: number;
  #fuelState = 1;
  #loadKg: number;
  #status = 0;

  constructor(seed: number) {
    const random = createRandom(seed);
    this.#random = random;
    const start = (min: number, max: number) => min + random.uniform() * (max - min);
    this.#walks = {
      latitude: { value: start(-60, 60), step: 0.005, min: -90, max: 90 },
      longitude: { value: start(-170, 170), step: 0.005, min: -180, max: 180 },
      elevation: { value: start(0, 500), step: 10, min: 0, max: 5000 },
      velocity: { value: 0, step: 10, min: 0, max: 100 },
      heading: { value: start(0, 360), step: 5, min: 0, max: 360 },
      grade: { value: start(0, 10), step: 1, min: 0, max: 100 },
      fuel_consumption: { value: 25, step: 1, min: 0, max: 50 },
    };
    this.#loadCapacityKg = LOADS_KG[random.integer(LOADS_KG.length)];
    this.#loadKg = Math.floor(start(0, this.#loadCapacityKg));
  }

  step(): TruckState {
    const truck: Record<string, number> = {};
    for (const [name, walk] of Object.entries(this.#walks)) {
      const moved = walk.value + this.#random.normal() * walk.step;
      walk.value = Math.min(walk.max, Math.max(walk.min, moved));
      truck[name] = Math.round(walk.value * 1e5) / 1e5;
    }
    return { truck, diagnostics: this.#diagnose() };
  }

  #diagnose(): Record<string, number> {
    this.#fuelState -= this.#random.uniform() * FUEL_USED_PER_STEP;
    if (this.#fuelState < REFUEL_BELOW) this.#fuelState = 1;
    if (this.#random.chance(STATUS_CHANGE_PROBABILITY)) {
      this.#status = this.#random.integer(STATUS_COUNT);
      this.#loadKg = this.#random.integer(this.#loadCapacityKg + 1);
    }
    return {
      fuel_state: Math.round(this.#fuelState * 1e5) / 1e5,
      current_load: this.#loadKg,
      status: this.#status,
    };
  }
}
