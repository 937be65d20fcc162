// SPDX-License-Identifier: GPL-2.0

//! What is live, what should be in it, and what is done to it.

use crate::{
    make::{expected, object, pool, refused, zeroes, PoolShape, Slot},
    memory::{Context, Finished, Lists, Memory},
    order::Order,
    random::Random,
    Engine, Shared,
};
use kernel::{
    dma::{Parked, Quiesced},
    new_spinlock, pci,
    prelude::*,
    sync::{Arc, SpinLock},
};

const SLOTS: usize = 20;
const POOLS: usize = 3;
/// How many allocations are leaked at most.
const LEAKED: usize = 20;

/// A transfer that the device was told to do, of bytes that are known.
struct Flight {
    /// Of what memory, unless that was dropped meanwhile.
    slot: Option<usize>,
    at: usize,
    in_device: usize,
    bytes: KVec<u8>,
    /// To memory.
    stores: bool,
}

impl Flight {
    fn overlaps(&self, start: usize, end: usize) -> bool {
        start < self.at + self.bytes.len() && self.at < end
    }
}

#[derive(Default)]
struct PoolState<'bound> {
    pool: Option<Lists<'bound>>,
    shape: PoolShape,
    /// Objects that somebody has.
    alive: usize,
    /// Objects that the pool keeps.
    parked: Parked,
}

pub(crate) struct World<'bound> {
    slots: KVec<Option<Slot<'bound>>>,
    pools: [PoolState<'bound>; POOLS],
    flight: Option<Flight>,
    lock: Pin<KBox<SpinLock<()>>>,
    /// What should be parked.
    pub(crate) parked: Parked,
    /// That of it which stays when parked memory is freed: objects of pools that somebody has.
    objects_parked: Parked,
    /// How many allocations were leaked.
    pub(crate) leaked: usize,
    pub(crate) failed: bool,
    /// How many transfers came to their end.
    pub(crate) transfers: usize,
}

pub(crate) fn add(parked: &mut Parked, count: usize, bytes: usize) {
    parked.count += count;
    parked.bytes += bytes;
}

fn less(parked: &mut Parked, by: Parked) {
    parked.count -= by.count;
    parked.bytes -= by.bytes;
}

impl<'bound> World<'bound> {
    pub(crate) fn new() -> Result<Self> {
        let mut slots = KVec::with_capacity(SLOTS, GFP_KERNEL)?;
        for _ in 0..SLOTS {
            slots.push(None, GFP_KERNEL)?;
        }
        Ok(Self {
            slots,
            pools: Default::default(),
            flight: None,
            lock: KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?,
            parked: Parked::default(),
            objects_parked: Parked::default(),
            leaked: 0,
            failed: false,
            transfers: 0,
        })
    }

    /// One operation. If it fails, nothing more is done here.
    pub(crate) fn operate(
        &mut self,
        shared: &Shared<'bound>,
        number: usize,
        quiesced: bool,
        vector: Option<pci::IrqVector<'_>>,
    ) {
        if self.failed || !shared.plan.has(number) {
            return;
        }
        let mut random = Random::new(shared.plan.seed, number as u64);
        match self.one(shared, &mut random, quiesced, vector) {
            Ok(()) => (),
            Err(error) if error == ENOMEM && shared.plan.faults => (),
            Err(error) => {
                self.failed = true;
                let seed = shared.plan.seed;
                pr_err!("FAILED: seed {seed} operation {number}: {error:?}\n");
            }
        }
    }

    fn one(
        &mut self,
        shared: &Shared<'bound>,
        random: &mut Random,
        quiesced: bool,
        vector: Option<pci::IrqVector<'_>>,
    ) -> Result {
        let at = random.below(SLOTS);
        let context = Context {
            quiesced,
            atomic: false,
        };
        match random.below(100) {
            0..=3 => refused(shared, random, false),
            4..=5 => self.pool(shared, random, context),
            6..=9 => self.land(shared, false),
            10..=12 => self.land(shared, true),
            13..=14 => match vector {
                Some(vector) => {
                    let parked = shared.interrupts(&vector, random)?;
                    add(&mut self.parked, parked.count, parked.bytes);
                    Ok(())
                }
                None => Ok(()),
            },
            15..=19 => self.in_spinlock(shared, random, at, context),
            20..=24 if vector.is_some() => self.in_handler(shared, random, at, context),
            _ if self.slots[at].is_none() => self.fill(shared, random, at),
            _ => self.use_slot(shared, random, at, context),
        }
    }

    fn use_slot(
        &mut self,
        shared: &Shared<'bound>,
        random: &mut Random,
        at: usize,
        context: Context,
    ) -> Result {
        match random.below(24) {
            0..=4 => self.look(random, at),
            5..=9 => self.put(random, at),
            10..=14 => self.begin(shared, random, at, context),
            15..=16 => self.drop(shared, at, context),
            17..=19 => {
                if self.is_in_flight(at) && random.once_in(2) {
                    self.land(shared, true)?;
                }
                self.finish(at, context)
            }
            20 => self.share(shared, at),
            21 if shared.plan.leaks => self.leak(at),
            21 => Ok(()),
            22 => self.edges(random, at),
            _ => self.compare(at),
        }
    }

    fn is_in_flight(&self, at: usize) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.slot == Some(at))
    }

    /// The device has finished with what is in a slot, or else there is an error.
    fn finished(&self, at: usize) -> Result<Finished> {
        // A flight ends when the run bit was read, and it was clear.
        if self.is_in_flight(at) {
            return Err(EBUSY);
        }
        Ok(Finished(()))
    }

    fn fill(&mut self, shared: &Shared<'bound>, random: &mut Random, at: usize) -> Result {
        if random.once_in(5) {
            return self.object(shared, random, at);
        }
        self.slots[at] = Slot::make(shared, random, false)?;
        Ok(())
    }

    fn object(&mut self, shared: &Shared<'bound>, random: &mut Random, at: usize) -> Result {
        let index = random.below(POOLS);
        let state = &mut self.pools[index];
        let Some(pool) = &state.pool else {
            return Ok(());
        };
        let content = zeroes(state.shape.len * 8, GFP_KERNEL)?;
        let memory = match object(pool, random, false) {
            Err(error) if error == ENOMEM && shared.plan.faults => return Ok(()),
            memory => memory?,
        };
        state.alive += 1;
        if let Memory::Object(object) = &memory {
            check!(state.shape.fits(object.dma_address()));
        }
        let slot = self.slots[at].insert(Slot {
            memory,
            known: (0, content.len()),
            content,
            pool: index,
        });
        slot.check(shared, random)
    }

    /// A pool comes, or goes.
    fn pool(&mut self, shared: &Shared<'bound>, random: &mut Random, context: Context) -> Result {
        let index = random.below(POOLS);
        let state = &mut self.pools[index];
        if state.pool.take().is_some() {
            self.pool_gone(index, context);
        } else if state.alive == 0 {
            if let Some((pool, shape)) = pool(shared, random)? {
                *state = PoolState {
                    pool: Some(Arc::new(pool, GFP_KERNEL)?),
                    shape,
                    ..PoolState::default()
                };
            }
        }
        Ok(())
    }

    /// Counts the pool, if nobody has it any more.
    fn pool_gone(&mut self, index: usize, context: Context) {
        let state = &mut self.pools[index];
        if state.pool.is_some() || state.alive != 0 {
            return;
        }
        let objects = state.parked;
        *state = PoolState::default();

        // They go with it.
        less(&mut self.objects_parked, objects);
        if context.atomic || objects.count != 0 && !context.quiesced {
            add(&mut self.parked, 1, 0);
        } else {
            less(&mut self.parked, objects);
        }
    }

    /// Counts what is no longer in a slot. `parks` is whether that has parked it.
    fn gone(&mut self, gone: Gone, context: Context) {
        if gone.parks {
            add(&mut self.parked, 1, gone.size);
        }
        if gone.is_object {
            let state = &mut self.pools[gone.pool];
            state.alive -= 1;
            if gone.parks {
                add(&mut state.parked, 1, gone.size);
                add(&mut self.objects_parked, 1, gone.size);
            }
            self.pool_gone(gone.pool, context);
        }
    }

    fn look(&mut self, random: &mut Random, at: usize) -> Result {
        let busy = self.is_in_flight(at);
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let (start, end) = random.part(slot.len());
        let whole = random.once_in(3) && !(busy && slot.memory.is_both());
        let flight = self.flight.as_ref().filter(|_| busy);
        // What the device is about to store is one thing or another.
        if flight.is_some_and(|flight| flight.stores && flight.overlaps(start, end)) {
            return Ok(());
        }
        if slot.memory.looks() {
            check!(slot.memory.has(start, &slot.content[start..end], whole)?);
        }
        Ok(())
    }

    fn put(&mut self, random: &mut Random, at: usize) -> Result {
        let busy = self.is_in_flight(at);
        let Some(slot) = &mut self.slots[at] else {
            return Ok(());
        };
        let (start, end) = random.part(slot.len());
        let whole = random.once_in(3) && !busy;
        let flight = self.flight.as_ref().filter(|_| busy);
        if !slot.memory.puts() || flight.is_some_and(|flight| flight.overlaps(start, end)) {
            return Ok(());
        }
        random.fill(&mut slot.content[start..end]);
        slot.memory.put(start, &slot.content[start..end], whole)?;
        if random.once_in(2) && !busy {
            check!(slot.memory.has(start, &slot.content[start..end], false)?);
        }
        Ok(())
    }

    fn compare(&mut self, at: usize) -> Result {
        if self.is_in_flight(at) {
            return Ok(());
        }
        if let Some(slot) = &mut self.slots[at] {
            if slot.memory.looks() {
                check!(slot.memory.has(0, &slot.content, false)?);
            }
        }
        Ok(())
    }

    /// Compares all there is.
    pub(crate) fn compare_all(&mut self) -> Result {
        for at in 0..SLOTS {
            self.compare(at)?;
        }
        Ok(())
    }

    fn edges(&mut self, random: &mut Random, at: usize) -> Result {
        if self.is_in_flight(at) {
            return Ok(());
        }
        match &mut self.slots[at] {
            Some(slot) => slot.memory.edges(random),
            None => Ok(()),
        }
    }

    fn share(&mut self, shared: &Shared<'bound>, at: usize) -> Result {
        let Some(mut slot) = self.slots[at].take() else {
            return Ok(());
        };
        slot.memory = match slot.memory {
            Memory::Own(memory) => Memory::Bytes(memory.share()),
            Memory::OwnObject(object) => Memory::Object(object.share()),
            memory => memory,
        };
        if let Memory::Object(object) = &slot.memory {
            check!(self.pools[slot.pool].shape.fits(object.dma_address()));
        }
        check!(slot.memory.size() == slot.len());
        if slot.memory.reads() {
            check!(slot.memory.address(0)?.0 <= shared.dma.mask());
        }
        self.slots[at] = Some(slot);
        Ok(())
    }

    /// Takes what is in a slot, though the device may be at it.
    fn take(&mut self, at: usize) -> Option<Slot<'bound>> {
        let slot = self.slots[at].take()?;
        if let Some(flight) = &mut self.flight {
            if flight.slot == Some(at) {
                flight.slot = None;
            }
        }
        Some(slot)
    }

    fn drop(&mut self, shared: &Shared<'bound>, at: usize, context: Context) -> Result {
        let Some(slot) = self.take(at) else {
            return Ok(());
        };
        let gone = Gone::of(&slot, slot.memory.parks(context));
        let before = shared.dma.parked();
        drop(slot);
        let after = shared.dma.parked();
        // Others may be at it, too, but nothing is taken out of there.
        let least = if gone.parks { (1, gone.size) } else { (0, 0) };
        check!(after.count >= before.count + least.0 && after.bytes >= before.bytes + least.1);
        self.gone(gone, context);
        Ok(())
    }

    fn leak(&mut self, at: usize) -> Result {
        // Not of a pool, which is never freed then, but says so; nor a table, which is several
        // things for those who count.
        let leaks = |slot: &Slot<'_>| !slot.memory.is_object() && slot.memory.in_one_piece();
        if self.leaked == LEAKED || !self.slots[at].as_ref().is_some_and(leaks) {
            return Ok(());
        }
        let Some(slot) = self.take(at) else {
            return Ok(());
        };
        self.leaked += 1;
        core::mem::forget(slot.memory);
        Ok(())
    }

    /// Takes memory back, when the device has finished with it.
    fn finish(&mut self, at: usize, context: Context) -> Result {
        let Ok(finished) = self.finished(at) else {
            return Ok(());
        };
        let Some(slot) = self.slots[at].take() else {
            return Ok(());
        };
        let gone = Gone::of(&slot, slot.memory.parks_finished(context));
        check!(slot
            .memory
            .finish(expected(&slot.content, slot.known), &finished)?);
        self.gone(gone, context);
        Ok(())
    }

    fn begin(
        &mut self,
        shared: &Shared<'bound>,
        random: &mut Random,
        at: usize,
        context: Context,
    ) -> Result {
        let Some(slot) = &self.slots[at] else {
            return Ok(());
        };
        let (reads, writes) = (slot.memory.reads(), slot.memory.writes());
        if context.quiesced || self.flight.is_some() || !reads && !writes {
            return Ok(());
        }
        let stores = writes && (!reads || random.once_in(2));
        let within = if stores { (0, slot.len()) } else { slot.known };
        if within.0 == within.1 {
            return Ok(());
        }
        let (start, end) = random.part(within.1 - within.0);
        let start = within.0 + start;
        let (address, piece) = slot.memory.address(start)?;
        let len = (within.0 + end - start).min(piece).min(Engine::SIZE);
        let in_device = random.below(Engine::SIZE - len + 1);
        check!(address + len as u64 - 1 <= shared.dma.mask());

        let mut engine = shared.engine.lock();
        if engine.busy {
            return Ok(());
        }
        let from = if stores {
            &engine.content[in_device..in_device + len]
        } else {
            &slot.content[start..start + len]
        };
        let mut bytes = KVec::with_capacity(len, GFP_KERNEL)?;
        bytes.extend_from_slice(from, GFP_KERNEL)?;
        engine.busy = true;
        shared
            .regs
            .begin(address, in_device, len, stores, random.once_in(2))?;
        self.flight = Some(Flight {
            slot: Some(at),
            at: start,
            in_device,
            bytes,
            stores,
        });
        Ok(())
    }

    /// Ends a flight, if the device has done the transfer, or when it has.
    pub(crate) fn land(&mut self, shared: &Shared<'bound>, waits: bool) -> Result {
        if self.flight.is_none() || !waits && shared.regs.is_running() {
            return Ok(());
        }
        shared.regs.wait()?;
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        let len = flight.bytes.len();
        let mut engine = shared.engine.lock();
        engine.busy = false;
        if !flight.stores {
            engine.content[flight.in_device..flight.in_device + len].copy_from_slice(&flight.bytes);
        }
        drop(engine);
        self.transfers += 1;
        if let Some(slot) = flight.slot.and_then(|at| self.slots[at].as_mut()) {
            let end = flight.at + len;
            if flight.stores {
                slot.content[flight.at..end].copy_from_slice(&flight.bytes);
                if !slot.memory.looks() {
                    slot.known = (flight.at, end);
                }
            }
            if slot.memory.looks() {
                check!(slot.memory.has(0, &slot.content, len % 2 == 0)?);
            }
        }
        Ok(())
    }

    /// Does some of it where one may not sleep: with a spinlock held.
    fn in_spinlock(
        &mut self,
        shared: &Shared<'bound>,
        random: &mut Random,
        at: usize,
        context: Context,
    ) -> Result {
        if !cfg!(CONFIG_PREEMPT_COUNT) || self.is_in_flight(at) {
            return Ok(());
        }
        let mut order = Order::new(random.next(), self.slots[at].take(), context.quiesced);
        {
            let _guard = self.lock.lock();
            order.run(shared);
        }
        self.after(order, at)
    }

    /// In the handler of an interrupt.
    fn in_handler(
        &mut self,
        shared: &Shared<'bound>,
        random: &mut Random,
        at: usize,
        context: Context,
    ) -> Result {
        if self.is_in_flight(at) {
            return Ok(());
        }
        let order = Order::new(random.next(), self.slots[at].take(), context.quiesced);
        let order = shared.interrupt(order)?;
        self.after(order, at)
    }

    /// What has come of an order.
    fn after(&mut self, order: Order<'bound>, at: usize) -> Result {
        let context = Context {
            quiesced: order.quiesced,
            atomic: true,
        };
        self.slots[at] = order.slot;
        add(&mut self.parked, order.parked.count, order.parked.bytes);
        if let Some(gone) = order.gone {
            self.gone(gone, context);
        }
        order.result
    }

    /// What was parked has been freed, as when the system is suspended.
    pub(crate) fn released(&mut self) {
        self.parked = self.objects_parked;
    }

    /// Takes all back, or drops it: at the end, when the device can't master the bus.
    pub(crate) fn end(
        &mut self,
        shared: &Shared<'bound>,
        random: &mut Random,
        proof: &Quiesced<'_>,
    ) -> Result {
        let context = Context {
            quiesced: true,
            atomic: false,
        };
        let flight = self.flight.take();
        for at in 0..SLOTS {
            let Some(slot) = self.slots[at].take() else {
                continue;
            };
            let cut = flight
                .as_ref()
                .is_some_and(|flight| flight.stores && flight.slot == Some(at));
            if random.once_in(4) {
                // Dropped with the data.
                self.slots[at] = Some(slot);
                continue;
            }
            let (before, counted) = (shared.dma.parked(), self.parked);
            let gone = Gone::of(&slot, false);
            if random.once_in(2) {
                // What was under way may have been cut.
                let expected = expected(&slot.content, slot.known).filter(|_| !cut);
                check!(slot.memory.finish_quiesced(expected, proof)?);
            } else {
                drop(slot);
            }
            self.gone(gone, context);
            // The last object of a pool takes those along that were parked.
            let after = shared.dma.parked();
            check!(before.count - after.count == counted.count - self.parked.count);
            check!(before.bytes - after.bytes == counted.bytes - self.parked.bytes);
        }
        Ok(())
    }
}

/// What has left a slot.
#[derive(Clone, Copy)]
pub(crate) struct Gone {
    size: usize,
    is_object: bool,
    pool: usize,
    parks: bool,
}

impl Gone {
    pub(crate) fn of(slot: &Slot<'_>, parks: bool) -> Self {
        Self {
            size: slot.len(),
            is_object: slot.memory.is_object(),
            pool: slot.pool,
            parks,
        }
    }
}
