//! The committed SDL is the one that the code has.

#[test]
fn the_committed_sdl_is_that_of_the_code() {
    assert!(
        comments::sdl().trim_end() == schema::sdl::COMMENTS.trim_end(),
        "the graph changed: run `make gen` and commit what it writes"
    );
}
