//! The host's storages and parsers for the fuzzer: its own source files, mounted by path, so that nothing here has to
//! build wasmtime. What they expect around them and is not fuzzed stands in for the host's ([`snapshot`], [`journal`],
//! [`change_log`]); if it no longer fits, this does not compile.

#![cfg(feature = "host")]
#![allow(dead_code, unreachable_pub, missing_docs)]

extern crate self as annals;

#[path = "../../../host/src/error.rs"]
pub mod error;
#[path = "../../../host/src/limits.rs"]
pub mod limits;
#[path = "../../../host/src/storage/mod.rs"]
pub mod storage;
#[path = "../../../host/src/token.rs"]
pub mod token;
#[path = "../../../host/src/types.rs"]
pub mod types;

pub use error::Error;
pub use token::Token;
pub use types::{Bounds, Damage};

pub mod cli;
pub mod snapshot;
pub mod stores;

pub mod journal {
    //! Options of a journal, as far as the command's arguments set them.

    #[derive(Clone, Copy, Debug, Default)]
    pub struct Options {
        pub expect: Option<crate::Token>,
    }

    impl Options {
        #[must_use]
        pub fn lock_wait_ms(self, _: u32) -> Options {
            self
        }
    }
}

pub mod change_log {
    //! A change, as the command's input makes it.

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Change {
        pub payload: Vec<u8>,
        pub cleanup_after_ms: Option<u64>,
    }

    impl Change {
        pub fn new(payload: &[u8]) -> Change {
            Change { payload: payload.to_vec(), cleanup_after_ms: None }
        }
    }
}
