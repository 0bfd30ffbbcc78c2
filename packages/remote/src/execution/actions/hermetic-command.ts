/** From the messages of an action to what a runner is asked, for whoever runs one: a server, or a person who looks into it. */
import type { Property } from "@kahn/core";
import type { HermeticCommand } from "@kahn/exec";
import { type Action, type Command, CommandOutputDirectoryFormat } from "../../proto/generated/remote-execution.ts";

/** The action's platform counts; clients before REAPI 2.2 send the command's alone. */
export function platformOf(action: Action, command: Command): readonly Property[] {
  const own = action.platform?.properties ?? [];
  return own.length > 0 ? own : (command.platform?.properties ?? []);
}

/** Whether a platform asks for the network. */
export function wantsNetwork(platform: readonly Property[]): boolean {
  const asked = platform.findLast(({ name }) => name === "network" || name === "dockerNetwork")?.value.toLowerCase();
  return asked !== undefined && asked !== "" && asked !== "off" && asked !== "none";
}

/** The command, with every field that a runner checks. */
export function hermeticCommand(command: Command, platform: readonly Property[]): HermeticCommand {
  return {
    arguments: command.arguments,
    environment: command.environmentVariables,
    outputPaths: command.outputPaths,
    outputFiles: command.outputFiles,
    outputDirectories: command.outputDirectories,
    outputNodeProperties: command.outputNodeProperties,
    wantsDirectories: command.outputDirectoryFormat !== CommandOutputDirectoryFormat.TREE_ONLY,
    workingDirectory: command.workingDirectory,
    platform,
  };
}
