//! A systematic part of the campaigns through the component; the native library carries the volume.
//! `ANNALS_SEED` chooses another seed.

mod component;

use annals_tests::campaign::Budget;
use annals_tests::campaign::states::Plan;
use component::component;

annals_tests::campaign_tests!("component", component, Budget::COMPONENT);
annals_tests::state_tests!("component", component, Plan::COMPONENT);

mod damage {
    use super::*;
    annals_tests::damage_tests!("component", component, Budget::COMPONENT);
}
