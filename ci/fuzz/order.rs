// SPDX-License-Identifier: GPL-2.0

//! What is done where one may not sleep.

use crate::{
    make::{expected, refused, Slot},
    memory::{Context, Finished},
    random::Random,
    world::{add, Gone},
    Shared,
};
use kernel::{dma::Parked, prelude::*};

/// Something to be done, and what came of it.
pub(crate) struct Order<'bound> {
    random: Random,
    /// The device has finished with it.
    pub(crate) slot: Option<Slot<'bound>>,
    finished: Finished,
    pub(crate) quiesced: bool,
    /// What should be parked by this, without what was in the slot.
    pub(crate) parked: Parked,
    /// What was in the slot.
    pub(crate) gone: Option<Gone>,
    pub(crate) done: bool,
    pub(crate) result: Result,
}

impl<'bound> Order<'bound> {
    /// To be made of memory that is not in flight: the run bit was clear since the device was told
    /// of it.
    pub(crate) fn new(seed: u64, slot: Option<Slot<'bound>>, quiesced: bool) -> Self {
        Self {
            random: Random::new(seed, 0),
            slot,
            finished: Finished(()),
            quiesced,
            parked: Parked::default(),
            gone: None,
            done: false,
            result: Ok(()),
        }
    }

    pub(crate) fn run(&mut self, shared: &Shared<'bound>) {
        self.done = true;
        for _ in 0..1 + self.random.below(4) {
            match self.one(shared) {
                Ok(()) => (),
                Err(error) if error == ENOMEM && shared.plan.faults => (),
                Err(error) => {
                    self.result = Err(error);
                    return;
                }
            }
        }
    }

    fn one(&mut self, shared: &Shared<'bound>) -> Result {
        let random = &mut self.random;
        let context = Context {
            quiesced: self.quiesced,
            atomic: true,
        };
        match random.below(8) {
            0 | 1 => return refused(shared, random, true),
            2 | 3 => {
                let Some(mut slot) = Slot::make(shared, random, true)? else {
                    return Ok(());
                };
                let parks = if random.once_in(2) && slot.memory.anywhere() {
                    let parks = slot.memory.parks_finished(context);
                    let expected = expected(&slot.content, slot.known);
                    // Nobody has told the device of it.
                    check!(slot.memory.finish(expected, &self.finished)?);
                    parks
                } else {
                    let parks = slot.memory.parks(context);
                    if slot.memory.looks() {
                        check!(slot.memory.has(0, &slot.content, false)?);
                    }
                    drop(slot.memory);
                    parks
                };
                if parks {
                    add(&mut self.parked, 1, slot.content.len());
                }
                return Ok(());
            }
            _ => (),
        }
        let Some(mut slot) = self.slot.take() else {
            return Ok(());
        };
        let (start, end) = random.part(slot.len());
        let whole = random.once_in(2);
        match random.below(6) {
            0 => {
                self.gone = Some(Gone::of(&slot, slot.memory.parks(context)));
                return Ok(());
            }
            1 if slot.memory.anywhere() => {
                self.gone = Some(Gone::of(&slot, slot.memory.parks_finished(context)));
                let expected = expected(&slot.content, slot.known);
                check!(slot.memory.finish(expected, &self.finished)?);
                return Ok(());
            }
            2 => slot.memory.edges(random)?,
            3 if slot.memory.puts() => {
                random.fill(&mut slot.content[start..end]);
                slot.memory.put(start, &slot.content[start..end], whole)?;
            }
            _ if slot.memory.looks() => {
                check!(slot.memory.has(start, &slot.content[start..end], whole)?);
            }
            _ => (),
        }
        self.slot = Some(slot);
        Ok(())
    }
}
