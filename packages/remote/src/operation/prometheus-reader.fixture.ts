/** Test fixture: reads what Prometheus would read. */
import assert from "node:assert/strict";

/** One line of numbers. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A strict reader of Prometheus' text format 0.0.4, written from its specification. */
export function parseMetrics(text: string): { readonly samples: Sample[]; readonly types: Map<string, string> } {
  assert.ok(text.endsWith("\n"));
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.slice(0, -1).split("\n")) {
    if (line.startsWith("# HELP ")) continue;
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      assert.ok(!types.has(type[1]!), `${type[1]} has two types`);
      types.set(type[1]!, type[2]!);
      continue;
    }
    const match = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\[\\"n])*",?)*)\})? (\S+)$/.exec(line);
    assert.ok(match !== null, `not a sample: ${line}`);
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name!] = value!.replace(/\\(.)/g, (_whole, each: string) => (each === "n" ? "\n" : each));
    }
    const value = Number(match[3]);
    assert.ok(!Number.isNaN(value), line);
    samples.push({ name: match[1]!, labels, value });
  }
  for (const { name } of samples) {
    const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    assert.ok(types.has(family), `${name} has no type`);
  }
  return { samples, types };
}
