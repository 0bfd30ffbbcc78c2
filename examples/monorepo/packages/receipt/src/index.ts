/** A cart as text and as HTML. */
import type { Cart } from "@shop/cart";
import { formatMoney } from "@shop/money";
import { textTable } from "@shop/text-table";

/** Lines for a printer of fixed width. */
export function receiptText(cart: Cart): string {
  const rows = cart.lines.map((line) => [
    `${line.quantity} × ${line.product.name}${line.discount === undefined ? "" : ` (${line.discount})`}`,
    formatMoney(line.total),
  ]);
  return textTable([...rows, ["Total", formatMoney(cart.total)]]).join("\n");
}

/** A table for a page; every text is escaped. */
export function receiptHtml(cart: Cart): string {
  const rows = cart.lines.map(
    (line) =>
      `<tr><td>${line.quantity} × ${escapeHtml(line.product.name)}</td><td>${formatMoney(line.total)}</td></tr>`,
  );
  return `<table>${rows.join("")}<tr><th>Total</th><th>${formatMoney(cart.total)}</th></tr></table>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
