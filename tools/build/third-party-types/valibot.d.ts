/**
 * The part of valibot that the published declarations name. Kahn bundles valibot, so a consumer does not install it;
 * a schema made with one that they did install fits this shape.
 */
export interface GenericSchema<Input = unknown, Output = Input> {
  readonly kind: "schema";
  readonly type: string;
  readonly "~types"?: { readonly input: Input; readonly output: Output } | undefined;
}
