//! Tests of the built `annals` command, each run as a process of its own on real files.

mod event;
mod event_kill;
mod kill_loop;
mod killed;
mod ordinary;
mod place;
mod raft;
mod raft_kill;
mod run;
mod shared;
mod tools;
mod trouble;
