//! The committed SDL is the one that the code has.

#[test]
fn the_committed_sdl_is_that_of_the_code() {
    assert!(
        loms::sdl().trim_end() == schema::sdl::LOMS.trim_end(),
        "the graph changed: run `make gen` and commit what it writes"
    );
}
