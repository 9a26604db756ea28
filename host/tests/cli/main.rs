//! Tests of the built `annals` command, each run as a process of its own on real files.

mod kill_loop;
mod ordinary;
mod place;
mod run;
mod tools;
mod trouble;
