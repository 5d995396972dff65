-- Whether an effect that is to leave was refused is asked for each: by the statement that deletes it, and by the foreign key.
-- Without the index 1,000 effects took 37 s beside 2,000 dead letters, with it 50 ms.
create index dead_letters_refused on dead_letters (refused_event) where refused_event is not null;
