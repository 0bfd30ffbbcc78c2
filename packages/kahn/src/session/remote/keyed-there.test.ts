// Goal: what a server made is no result of this machine, whose tools and undeclared files are others. Method: a server in
// this process, and a workspace whose task says something else there than here.
import { expect, test } from "vitest";
import { Checkout, startServer } from "../checkout.fixture.ts";

const COMMAND = "cat own.json 2>/dev/null > out || echo declared > out";

async function workspace() {
  const url = `grpc://${await startServer({ execution: { sandbox: "off" } })}`;
  const made = new Checkout({
    "package.json": { name: "root", private: true, scripts: { build: COMMAND } },
    "kahn.jsonc": {
      cache: { remote: { url } },
      tasks: { build: { inputs: ["package.json"], outputs: ["out"] } },
    },
    "own.json": "mine",
  });
  return { made, url, out: () => made.filesWith("", "mine").some((file) => file.endsWith("/out")) };
}

test("a result of the server is found by runs there, and not by one here; the other way round likewise", async () => {
  const { made, out } = await workspace();
  expect((await made.run("build --remote-exec")).finished).toMatchObject({ executed: 1, remoteExecuted: 1 });
  expect(out()).toBe(false);
  expect((await made.run("build")).finished).toMatchObject({ executed: 1, cached: 0 });
  expect(out()).toBe(true);
  expect((await made.run("build --remote-exec")).finished).toMatchObject({ executed: 0, cached: 1 });
  expect(out()).toBe(false);
  expect((await made.run("build")).finished).toMatchObject({ executed: 0, cached: 1 });
  expect(out()).toBe(true);
});

test("a forecast asks for the result of where a run would be", async () => {
  const { made } = await workspace();
  await made.run("build --remote-exec");
  expect((await made.kahn("run build --dry --remote-exec")).stdout).toContain("1 cached");
  expect((await made.kahn("run build --dry")).stdout).toContain("1 would run");
});

test("why names the server as what changed, once there is nothing of this machine to compare with", async () => {
  const { made, url } = await workspace();
  await made.run("build --remote-exec");
  const why = async () => (await made.kahn("why build")).stdout;
  expect(await why()).toContain(`build would run: where it runs changed (${url} → here)`);
  expect((await made.kahn("run build --dry --remote-exec")).stdout).toContain("1 cached");
  await made.run("build");
  await made.run("build --remote-exec");
  made.write("package.json", { name: "root", private: true, scripts: { build: COMMAND }, version: "2.0.0" });
  expect(await why()).toContain("build would run: input package.json changed\n");
  expect(await why()).not.toContain("where it runs");
});
