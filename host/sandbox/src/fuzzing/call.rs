//! One host call, of any interface and version.

use super::input::Input;
use crate::{
    bindings::{
        tidegate::bot::{checkpoints, clock, log, metrics, random, replication, schedule, state, types::Tier},
        v0_1::tidegate::bot as old,
    },
    guest::{Guest, Stop},
};

/// Makes it. None if it takes nothing from the budget by design: log lines.
pub(super) fn call(guest: &mut Guest, input: &mut Input<'_>) -> Option<Result<(), Stop>> {
    let which = input.byte() % 24;
    if which == 0 {
        return costless(guest, input);
    }
    Some(match which {
        1 => clock::Host::now(guest).map(drop).map_err(Stop::Trap),
        2 => checkpoints::Host::runs(guest, input.maybe(Input::text)).map(|runs| assert!(runs.len() <= 256)),
        3 => {
            let (run, before, limit) = (input.text(), input.maybe(Input::number), input.number() as u32);
            checkpoints::Host::list_checkpoints(guest, run, before, limit)
                .map(|page| assert!(page.items.len() <= limit as usize && page.items.len() <= 256))
        }
        4 => checkpoints::Host::get_checkpoint(guest, input.text(), input.number()).map(drop),
        5 => checkpoints::Host::plan_prune(guest, input.text(), input.numbers(), tier(input))
            .map(|verdicts| assert!(verdicts.len() <= 256 && verdicts.iter().all(|it| it.because.len() <= 1024))),
        6 => checkpoints::Host::pin(guest, input.text(), input.number(), input.text()).map(drop),
        7 => checkpoints::Host::unpin(guest, input.text(), input.number(), input.text()).map(drop),
        8 => checkpoints::Host::prune(guest, input.text(), input.number(), tier(input), input.text()).map(drop),
        9 | 10 => replication::Host::replicate(guest, request(input)).map(drop),
        11 => replication::Host::status(guest, input.text()).map(drop),
        12 => replication::Host::cancel(guest, input.text(), input.text()),
        13 => state::Host::get(guest, input.text()).map(drop),
        14 => state::Host::set(guest, input.text(), input.bytes()),
        15 => state::Host::delete(guest, input.text()),
        16 => state::Host::keys(guest, input.text(), input.maybe(Input::text)).map(|keys| assert!(keys.len() <= 256)),
        17 => schedule::Host::wake_at(guest, input.number(), input.text(), input.text()),
        18 => schedule::Host::cancel(guest, input.text()),
        19 => random::Host::next_bytes(guest, input.number() as u32).map(|bytes| assert!(bytes.len() <= 4096)),
        20 => random::Host::next_u64(guest).map(drop),
        21 => metrics::Host::set(guest, input.text(), input.float()),
        22 => metrics::Host::add(guest, input.text(), input.float()),
        _ => before(guest, input),
    })
}

fn costless(guest: &mut Guest, input: &mut Input<'_>) -> Option<Result<(), Stop>> {
    let done = log::Host::line(guest, log::Level::Warn, input.text());
    assert!(done.is_ok(), "it never fails");
    None
}

/// A call of the contract at 0.1.
fn before(guest: &mut Guest, input: &mut Input<'_>) -> Result<(), Stop> {
    use old::{checkpoints, replication, schedule, state};
    match input.byte() % 6 {
        0 => checkpoints::Host::runs(guest, input.maybe(Input::text)).map(drop),
        1 => checkpoints::Host::list_checkpoints(guest, input.text(), input.maybe(Input::number), 256).map(drop),
        2 => checkpoints::Host::pin(guest, input.text(), input.number(), input.text()).map(drop),
        3 => state::Host::set(guest, input.text(), input.bytes()),
        4 => schedule::Host::wake_at(guest, input.number(), input.text(), input.text()),
        _ => replication::Host::replicate(
            guest,
            replication::Request {
                run: input.text(),
                step: input.number(),
                target: input.text(),
                not_before: input.number(),
                priority: input.byte() % 12,
                reason: input.text(),
            },
        )
        .map(drop),
    }
}

fn tier(input: &mut Input<'_>) -> Tier {
    if input.flag() { Tier::Nvme } else { Tier::Object }
}

fn request(input: &mut Input<'_>) -> replication::Request {
    replication::Request {
        run: input.text(),
        step: input.number(),
        target: input.text(),
        encoding: input.maybe(|input| if input.flag() { "raw".to_owned() } else { input.text() }),
        not_before: input.number(),
        deadline: input.maybe(Input::number),
        rate: input.maybe(Input::number),
        priority: input.byte() % 12,
        reason: input.text(),
    }
}
