//! Tests of the built `annals` command, each run as a process of its own on real files.

mod change;
mod change_kill;
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
mod snapshot;
mod snapshot_kill;
mod tools;
mod trouble;
