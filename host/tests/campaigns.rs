//! A systematic part of the campaigns through the component; the native library carries the volume.
//! `ANNALS_SEED` chooses another seed.

mod component;

use annals_tests::campaign::Budget;
use component::component;

annals_tests::campaign_tests!("component", component, Budget::COMPONENT);

mod damage {
    use super::*;
    annals_tests::damage_tests!("component", component, Budget::COMPONENT);
}
