/** The page: a button for each product, and the receipt so far. */
import { fillCart } from "@shop/cart";
import { PRODUCTS } from "@shop/catalogue";
import { receiptHtml } from "@shop/receipt";

const orders: string[] = [];
const receipt = document.querySelector("#receipt")!;
const shelf = document.querySelector("#shelf")!;

for (const product of PRODUCTS) {
  const button = document.createElement("button");
  button.textContent = product.name;
  button.addEventListener("click", () => {
    orders.push(product.id);
    const cart = fillCart(orders);
    receipt.innerHTML = cart.ok ? receiptHtml(cart.value) : cart.why;
  });
  shelf.append(button);
}
