/** The registry room: configuration → plan → log, and what a plan costs. */
export { type ChannelDeclaration, declareChannel, serveChannels } from './channel-declaration.ts';
export { checkUnits, compilePlan } from './compile.ts';
export { planDifference } from './difference.ts';
export { lintPlan, type PlanLint } from './lint.ts';
export { createPlanStore, type PlanStore } from './plan-store.ts';
export { parsePlan, planText } from './plan-text.ts';
export { type ChannelPrice, KERNEL_LAYOUT, type PlanPrice, pricePlan } from './price.ts';
