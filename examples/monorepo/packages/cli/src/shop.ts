/** The shop at the command line: `shop 3xsoap tea` prints a receipt, `shop` alone what there is. */
import { fillCart } from "@shop/cart";
import { PRODUCTS } from "@shop/catalogue";
import { receiptText } from "@shop/receipt";

const orders = process.argv.slice(2);
if (orders.length === 0) {
  for (const product of PRODUCTS) console.log(`${product.id.padEnd(8)} ${product.name}`);
} else {
  const cart = fillCart(orders);
  if (cart.ok) console.log(receiptText(cart.value));
  else console.error(`shop: ${cart.why}`);
  process.exitCode = cart.ok ? 0 : 1;
}
