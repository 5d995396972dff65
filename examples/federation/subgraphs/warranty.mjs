export const Query = {};
export const entities = { Product: ({ sku }) => ({ sku, warrantyMonths: 12 + (Number(sku) % 3) * 12 }) };
