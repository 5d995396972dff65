const RATINGS = {
  9780131103627: [{ stars: 5, words: "Short." }],
  9781718503106: [{ stars: 5, words: "Compiles." }, { stars: 4 }],
};
const book = ({ isbn }) => ({ isbn, ratings: RATINGS[isbn] ?? [] });

export const Query = { topRated: () => book({ isbn: "9781718503106" }) };
export const entities = { Book: book };
