drop index dead_letters_refused;
