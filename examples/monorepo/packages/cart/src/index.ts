/** What a customer takes, and what it costs. */
import { findProduct, type Product } from "@shop/catalogue";
import { type Cents, sum } from "@shop/money";
import { priceOf } from "@shop/pricing";
import { all, no, ok, type Result } from "@shop/result";

/** So many of one product. */
export interface Line {
  readonly product: Product;
  readonly quantity: number;
  readonly total: Cents;
  readonly discount?: string;
}

/** Lines in the order in which they were taken, each product once. */
export interface Cart {
  readonly lines: readonly Line[];
  readonly total: Cents;
}

/** Reads orders like "tea" and "3xsoap". Orders of one product add up. */
export function fillCart(orders: readonly string[]): Result<Cart> {
  const read = all(orders.map(readOrder));
  if (!read.ok) return read;
  const quantities = new Map<Product, number>();
  for (const { product, quantity } of read.value) quantities.set(product, (quantities.get(product) ?? 0) + quantity);
  const lines = [...quantities].map(([product, quantity]) => ({ product, quantity, ...priceOf(product, quantity) }));
  return ok({ lines, total: sum(lines.map((line) => line.total)) });
}

function readOrder(order: string): Result<{ readonly product: Product; readonly quantity: number }> {
  const match = /^(?:(\d+)x)?([a-z]+)$/.exec(order);
  if (match === null) return no(`"${order}" is not an order; write tea, or 3xtea`);
  const found = findProduct(match[2]!);
  return found.ok ? ok({ product: found.value, quantity: Number(match[1] ?? "1") }) : found;
}
