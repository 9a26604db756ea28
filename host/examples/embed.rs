//! A host with an engine, a linker and stores of its own: it serves `annals:storage` to the component and uses a journal
//! through the bindings. `cargo run -p annals --example embed -- DIR`

use annals::{
    COMPONENT,
    bindings::{
        Annals,
        exports::annals::log::{journal::Options, types::Mode},
    },
    link::{self, Context, View},
    storage::Directory,
};
use std::{path::Path, sync::Arc};
use wasmtime::{
    Engine, Result, Store,
    component::{Component, Linker, ResourceTable},
    error::Context as _,
};

/// What the stores of this host hold; most hosts have more in it.
struct State {
    logs: Context,
    table: ResourceTable,
}

fn main() -> Result<()> {
    let directory = std::env::args_os().nth(1).context("say where the logs are to be")?;
    run(directory.as_ref())
}

/// Appends to a journal in `directory`, and prints what is in it.
pub(crate) fn run(directory: &Path) -> Result<()> {
    // Once per program.
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT)?;
    let mut linker = Linker::<State>::new(&engine);
    link::add_to_linker(&mut linker, |state| View { context: &mut state.logs, table: &mut state.table })?;

    // Once per log, so that a failure of one never reaches another.
    let storage = Arc::new(Directory::open(directory)?);
    let state = State { logs: Context::new(storage), table: ResourceTable::new() };
    let mut store = Store::new(&engine, state);
    let annals = Annals::instantiate(&mut store, &component, &linker)?;

    let (journal, options) = (
        annals.annals_log_journal().journal(),
        Options {
            mode: Mode::OpenOrCreate,
            start_at: None,
            expect: None,
            items_per_section: None,
            segment_bytes: None,
            compression: None,
            sync_sections: None,
            write_buffer: None,
            lock_wait_ms: 1000,
        },
    );
    let log = journal.call_open(&mut store, "greetings", options)??;
    let position = journal.call_append(&mut store, log, b"hello from an embedding host")??;
    journal.call_sync_data(&mut store, log)??; // durable from here on
    let item = journal.call_read(&mut store, log, position)??;
    println!("{position}: {}", String::from_utf8_lossy(&item));

    journal.call_close(&mut store, log)??;
    log.resource_drop(&mut store)?;
    Ok(())
}
