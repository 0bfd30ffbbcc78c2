/**
 * The floor of a cold run from Node: the same scripts in a right order, two at a time, with neither cache nor hashes.
 * Started in the workspace.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const CONCURRENCY = 2;

/** @typedef {{ folder: string, unmet: number, dependents: Project[] }} Project */

/** @type {Map<string, Project & { dependencies: string[] }>} */
const projects = new Map();
for (const folder of readdirSync("packages")) {
  const { name, dependencies = {} } = JSON.parse(readFileSync(`packages/${folder}/package.json`, "utf8"));
  projects.set(name, { folder, unmet: 0, dependents: [], dependencies: Object.keys(dependencies) });
}
for (const project of projects.values()) {
  project.unmet = project.dependencies.length;
  for (const dependency of project.dependencies) projects.get(dependency)?.dependents.push(project);
}

/** @type {{ project: Project, task: string }[]} */
const ready = [...projects.values()].filter((each) => each.unmet === 0).map((project) => ({ project, task: "build" }));
let running = 0;
startSome();

function startSome() {
  while (running < CONCURRENCY && ready.length > 0) {
    const next = /** @type {{ project: Project, task: string }} */ (ready.shift());
    running++;
    const child = spawn("sh", [`${next.task}.sh`], { cwd: `packages/${next.project.folder}`, stdio: "ignore" });
    child.on("close", (code) => {
      running--;
      if (code !== 0) process.exitCode = 1;
      if (next.task === "build") finishBuild(next.project);
      startSome();
    });
  }
}

/** @param {Project} project */
function finishBuild(project) {
  ready.push({ project, task: "test" });
  for (const dependent of project.dependents) {
    if (--dependent.unmet === 0) ready.push({ project: dependent, task: "build" });
  }
}
