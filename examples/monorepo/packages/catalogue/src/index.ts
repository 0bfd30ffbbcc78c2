/** What the shop sells, and for how much. */
import { type Cents, cents } from "@shop/money";
import { no, ok, type Result } from "@shop/result";

/** How a product is taxed and discounted. */
export type Kind = "food" | "household" | "book";

/** Something to buy. */
export interface Product {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  readonly price: Cents;
}

/** Everything on the shelves, in the order of the shelves. */
export const PRODUCTS: readonly Product[] = [
  { id: "bread", name: "Sourdough bread", kind: "food", price: cents(420) },
  { id: "tea", name: "Assam tea", kind: "food", price: cents(550) },
  { id: "soap", name: "Olive soap", kind: "household", price: cents(310) },
  { id: "candle", name: "Beeswax candle", kind: "household", price: cents(780) },
  { id: "atlas", name: "Pocket atlas", kind: "book", price: cents(1490) },
];

/** The product of that id, or a reason that lists what there is. */
export function findProduct(id: string): Result<Product> {
  const product = PRODUCTS.find((each) => each.id === id);
  if (product !== undefined) return ok(product);
  return no(`there is no "${id}"; there is ${PRODUCTS.map((each) => each.id).join(", ")}`);
}
