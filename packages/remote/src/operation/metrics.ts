/**
 * Numbers for Prometheus: counters, gauges, histograms, and their text.
 *
 * Invariant: the label values of one metric are bounded: what a caller can choose never becomes one.
 * Source:    Prometheus' "Exposition formats", text format 0.0.4.
 */
import { invariant } from "@kahn/core";

/** The content type of `Metrics.text`. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Names and values that tell series of one metric apart. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows, or one that is what it is. */
export interface Value {
  add(by: number): void;
  set(to: number): void;
}

/** Observations by size. */
export interface Distribution {
  observe(value: number): void;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly series: Map<string, { lines(name: string): string }>;
}

/** Seconds: from a look-up in memory to a long upload. */
export const SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600,
];

/** All metrics of a server. */
export class Metrics {
  readonly #families = new Map<string, Family>();
  readonly #sources: (() => void)[] = [];

  /** The series of a counter with these labels; the same one for the same labels. */
  counter(name: string, help: string, labels: Labels = {}): Value {
    return this.#series({ name, help, type: "counter" }, labels, () => new Number_(labels)) as Number_;
  }

  /** The series of a gauge with these labels. */
  gauge(name: string, help: string, labels: Labels = {}): Value {
    return this.#series({ name, help, type: "gauge" }, labels, () => new Number_(labels)) as Number_;
  }

  /** The series of a histogram of seconds with these labels. */
  histogram(name: string, help: string, labels: Labels = {}): Distribution {
    return this.#series({ name, help, type: "histogram" }, labels, () => new Histogram(labels, SECONDS)) as Histogram;
  }

  /** Called before every reading, to set gauges. */
  beforeReading(source: () => void): void {
    this.#sources.push(source);
  }

  /** Everything, as Prometheus reads it. */
  text(): string {
    for (const source of this.#sources) source();
    let text = "";
    for (const { name, help, type, series } of this.#families.values()) {
      text += `# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}\n# TYPE ${name} ${type}\n`;
      for (const each of series.values()) text += each.lines(name);
    }
    return text;
  }

  #series(family: Omit<Family, "series">, labels: Labels, make: () => { lines(name: string): string }) {
    let known = this.#families.get(family.name);
    if (known === undefined) {
      known = { ...family, series: new Map() };
      this.#families.set(family.name, known);
    }
    invariant(known.type === family.type, `${family.name} is a ${known.type}`);
    const key = labelText(labels);
    let series = known.series.get(key);
    if (series === undefined) {
      series = make();
      known.series.set(key, series);
    }
    return series;
  }
}

class Number_ implements Value {
  readonly #labels: string;
  #value = 0;

  constructor(labels: Labels) {
    this.#labels = braced(labelText(labels));
  }

  add(by: number): void {
    this.#value += by;
  }

  set(to: number): void {
    this.#value = to;
  }

  lines(name: string): string {
    return `${name}${this.#labels} ${this.#value}\n`;
  }
}

class Histogram implements Distribution {
  readonly #labels: string;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labelText(labels);
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const bounds = this.#bounds;
    // Each bucket counts what is beneath it alone here; the text adds them up.
    for (let index = 0; index < bounds.length; index++) {
      if (value <= bounds[index]!) {
        this.#counts[index]!++;
        return;
      }
    }
  }

  lines(name: string): string {
    const inner = this.#labels === "" ? "" : `${this.#labels},`;
    let text = "";
    let below = 0;
    for (const [index, bound] of this.#bounds.entries()) {
      below += this.#counts[index]!;
      text += `${name}_bucket{${inner}le="${bound}"} ${below}\n`;
    }
    const labels = braced(this.#labels);
    return `${text}${name}_bucket{${inner}le="+Inf"} ${this.#count}\n${name}_sum${labels} ${this.#sum}\n${name}_count${labels} ${this.#count}\n`;
  }
}

function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`)
    .join(",");
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
