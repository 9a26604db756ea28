//! The event log under test: [`subject`] says what an implementation offers, [`native`] is the library itself, [`model`]
//! knows every answer.

pub mod model;
pub mod native;
pub mod subject;
