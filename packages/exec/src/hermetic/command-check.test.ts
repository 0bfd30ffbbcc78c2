import { expect, test } from "vitest";
import { checkCommand } from "./command-check.ts";
import { command } from "./hermetic.fixture.ts";

const ENV = [{ name: "A", value: "1" }];

test("a command that no machine can run as it stands is refused", () => {
  const bad = [
    command([]),
    command([""]),
    command(["a\0b"]),
    command(["a"], { environment: [{ name: "", value: "" }] }),
    command(["a"], { environment: [{ name: "A=B", value: "" }] }),
    command(["a"], { environment: [{ name: "A", value: "\0" }] }),
    command(["a"], { environment: [...ENV, ...ENV] }),
    command(["a"], { workingDirectory: "/tmp" }),
    command(["a"], { workingDirectory: "a/../.." }),
    command(["a"], { outputPaths: ["/etc/passwd"] }),
    command(["a"], { outputPaths: ["../x"] }),
    command(["a"], { outputPaths: ["a/../../x"], workingDirectory: "" }),
    command(["a"], { outputPaths: ["a\0"] }),
    command(["a"], { outputPaths: ["a/".repeat(3000)] }),
    command(["a"], { outputPaths: Array.from({ length: 50_001 }, (_, n) => String(n)) }),
    command(["a"], { outputFiles: [""] }),
    command(["a"], { outputFiles: ["o"], outputDirectories: ["o"] }),
    command(["a"], { outputPaths: ["o"], outputNodeProperties: ["owner"] }),
  ];
  for (const each of bad) {
    expect(checkCommand(each), JSON.stringify(each).slice(0, 200)).toMatchObject({
      ok: false,
      problem: { code: "command-invalid" },
    });
  }
});

test("outputs are found from the working directory, and may lie beside it in the input root", () => {
  const checked = checkCommand(command(["a"], { workingDirectory: "./w//x/", outputPaths: ["o", "../y/", "../../z"] }));
  expect(checked).toMatchObject({
    ok: true,
    value: {
      workingDirectory: "w/x",
      outputs: [
        { path: "o", place: "w/x/o", declared: "any" },
        { path: "../y/", place: "w/y", declared: "any" },
        { path: "../../z", place: "z", declared: "any" },
      ],
    },
  });
});

test("output_paths overrides the older fields, which otherwise say the kind", () => {
  const older = { outputFiles: ["f"], outputDirectories: ["d", ""] };
  expect(checkCommand(command(["a"], { ...older, outputPaths: ["p", "p"] }))).toMatchObject({
    value: { outputs: [{ place: "p", declared: "any" }] },
  });
  expect(checkCommand(command(["a"], older))).toMatchObject({
    value: {
      outputs: [
        { place: "f", declared: "file" },
        { place: "d", declared: "directory" },
        { place: "", declared: "directory" },
      ],
    },
  });
});
