/** From a model and a request to the task graph. */
export type { AffectedProjects } from "./affected.ts";
export { affectedProjects } from "./affected.ts";
export type { PlannedTask } from "./task-plan.ts";
export { planTasks } from "./task-plan.ts";
export type { TaskRequest } from "./task-request.ts";
export { withoutStandIns } from "./task-request.ts";
