/** Amounts of money in whole cents, so that no sum is ever off by a fraction. */
import { no, ok, type Result } from "@shop/result";

declare const brand: unique symbol;

/** Whole cents; may be negative. */
export type Cents = number & { readonly [brand]: "Cents" };

/** Makes an amount of whole cents. Throws a RangeError for fractions. */
export function cents(amount: number): Cents {
  if (!Number.isSafeInteger(amount)) throw new RangeError(`${amount} is not a whole number of cents`);
  return amount as Cents;
}

/** Reads "12", "12.5" or "12.50". */
export function parseMoney(text: string): Result<Cents> {
  const match = /^(\d+)(?:\.(\d{1,2}))?$/.exec(text);
  if (match === null) return no(`"${text}" is not an amount of money`);
  return ok(cents(Number(match[1]) * 100 + Number((match[2] ?? "0").padEnd(2, "0"))));
}

/** The sum. */
export function sum(amounts: readonly Cents[]): Cents {
  return cents(amounts.reduce((total, amount) => total + amount, 0));
}

/** So many percent of an amount, half a cent rounded up. */
export function percentOf(amount: Cents, percent: number): Cents {
  return cents(Math.round((amount * percent) / 100));
}

/** For example "12.50". */
export function formatMoney(amount: Cents): string {
  const digits = String(Math.abs(amount)).padStart(3, "0");
  return `${amount < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
