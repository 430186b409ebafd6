/**
 * Branded primitives: a `Vni` is a number at run time, but no plain number is a `Vni` for the compiler. The only ways in
 * are the parse function and the zod schema that stand beside each type, so that a value of the type is always in range.
 */
declare const brand: unique symbol;

export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
