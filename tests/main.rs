//! Black-box tests of the built binaries, one module per noun.
