//! What a guest can say in host calls, from any bytes: for tests, and for `fuzz/` when it is built with `--cfg fuzzing`.
//! It is no part of the library's face.

mod call;
mod input;
mod witness;

use tidegate_core::Timestamp;

use self::{call::call, input::Input, witness::Witness};
use crate::{
    Options,
    bindings::{tidegate::bot::types::Host as Now, v0_1::tidegate::bot::types::Host as Old},
    guest::{Guest, Stop},
};

/// Small bounds, so that a short input reaches them.
fn options() -> Options {
    Options { host_calls: 100, bytes_per_event: 1 << 20, ..Options::default() }
}

/// Makes the host calls that these bytes stand for, as one event's. What reaches [`Calls`](crate::Calls) must be within
/// the bounds that `wit/` states, and so must what goes back. Answers how many effects were accepted.
///
/// # Panics
/// If something is not.
pub(crate) fn calls(data: &[u8]) -> u32 {
    let (mut input, options) = (Input::new(data), options());
    let witness = Box::new(Witness::new(input.number()));
    let mut guest = Guest::new(witness, Timestamp(input.number()), &options);
    while !input.is_empty() {
        let made = guest.budget.calls_made();
        let Some(said) = call(&mut guest, &mut input) else { continue };
        let over = guest.budget.calls_made() == made;
        match said {
            Ok(()) => assert!(!over, "a call that took nothing from the budget"),
            Err(Stop::Trap(_)) => break,
            Err(refused) => {
                assert!(!over, "a refusal that took nothing from the budget");
                told(&mut guest, refused, input.flag());
            }
        }
    }
    assert!(guest.budget.calls_made() <= options.host_calls);
    assert!(guest.budget.bytes_spent() <= options.bytes_per_event);
    assert!(guest.logs.lines.len() <= 64);
    for line in &guest.logs.lines {
        assert!(line.message.len() <= 1024 && !line.message.contains(char::is_control), "{:?}", line.message);
    }
    guest.effects
}

/// A refusal as the guest gets it, in either version of the contract.
fn told(guest: &mut Guest, refused: Stop, old: bool) {
    let text = if old {
        Old::convert_refusal(guest, refused).map(|refusal| format!("{refusal:?}"))
    } else {
        Now::convert_refusal(guest, refused).map(|refusal| format!("{refusal:?}"))
    };
    // `Debug` escapes, so it may be longer, but not by much more than this.
    assert!(text.is_ok_and(|text| text.len() <= 1024 * 10 + 64), "a refusal without a bound");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_call_passes_on_what_is_out_of_bounds() {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let seed = number("TIDEGATE_TEST_SEED").unwrap_or(0x7465_6964_6761_7465);
        let rounds = number("TIDEGATE_TEST_MUTANTS").unwrap_or(1000);
        println!("TIDEGATE_TEST_SEED={seed} TIDEGATE_TEST_MUTANTS={rounds}");
        let mut effects = 0;
        let mut random = fastrand::Rng::with_seed(seed);
        for round in 0..rounds {
            let mut data = vec![0; random.usize(..2000)];
            random.fill(&mut data);
            let done = std::panic::catch_unwind(|| calls(&data));
            effects += done.unwrap_or_else(|_| panic!("round {round} of TIDEGATE_TEST_SEED={seed}: {data:?}"));
        }
        assert!(effects > 0, "not all of it is refused");
    }
}
