//! The quick form of the damage sweep, against the native library: `damage-sweep` is the long one. `ANNALS_SEED` chooses
//! another seed, `ANNALS_FULL=1` does everything.

use annals_tests::campaign::Budget;
use annals_tests::native::native;

fn budget() -> Budget {
    if std::env::var_os("ANNALS_FULL").is_some() { Budget::FULL } else { Budget::QUICK }
}

annals_tests::damage_tests!("native", native, budget());
