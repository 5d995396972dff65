const BOOKS = [
  { isbn: "9780131103627", title: "The C Programming Language" },
  { isbn: "9781718503106", title: "The Rust Programming Language" },
];
const book = ({ isbn }) => BOOKS.find((book) => book.isbn === isbn) ?? null;

export const Query = { books: () => BOOKS, book };
export const entities = { Book: book };
