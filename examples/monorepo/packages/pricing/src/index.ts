/** Discounts: each is a rule of its own, and a line gets the best one. */
import type { Product } from "@shop/catalogue";
import { type Cents, cents, percentOf } from "@shop/money";

/** A reason to pay less, and how much less for so many of a product. */
export interface Discount {
  readonly name: string;
  off(product: Product, quantity: number): Cents;
}

/** The discounts of this week. */
export const DISCOUNTS: readonly Discount[] = [
  {
    name: "three for two",
    off: (product, quantity) => cents(product.kind === "household" ? Math.floor(quantity / 3) * product.price : 0),
  },
  {
    name: "5 % off ten or more",
    off: (product, quantity) => (quantity >= 10 ? percentOf(cents(product.price * quantity), 5) : cents(0)),
  },
];

/** What so many of a product cost, and which discount made the most of it. */
export function priceOf(product: Product, quantity: number): { readonly total: Cents; readonly discount?: string } {
  const full = product.price * quantity;
  const [best] = DISCOUNTS.map((discount) => ({ name: discount.name, off: discount.off(product, quantity) })).sort(
    (a, b) => b.off - a.off,
  );
  if (best === undefined || best.off === 0) return { total: cents(full) };
  return { total: cents(full - best.off), discount: best.name };
}
