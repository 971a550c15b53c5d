//! Every chore of the project. One file per verb; no logic here.

fn main() {}
