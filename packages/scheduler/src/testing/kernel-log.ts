/** What a kernel was told and what it asked for: the input of `checkLog`. */
import type { KernelEffect, KernelEvent, KernelOptions } from "../kernel-types.ts";

/** One step. */
export interface KernelLogEntry {
  readonly event: KernelEvent;
  readonly effects: readonly KernelEffect[];
}

/** All steps of one kernel, from the first on. */
export interface KernelLog {
  readonly options: KernelOptions;
  readonly entries: readonly KernelLogEntry[];
  /** What `step` threw, if it did; the log ends there. */
  readonly thrown?: string;
}

/** A broken promise. */
export interface Violation {
  /** `P1` … `P16` of the kernel's invariants, or `protocol`. */
  readonly rule: string;
  readonly message: string;
  /** Index of the log's entry. */
  readonly entry: number;
}

/** Collects violations. */
export type Report = (rule: string, message: string) => void;
